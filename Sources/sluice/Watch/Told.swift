// What the processes of a `sluice run` tell its watcher (sluice_reach.h). Any process may send
// anything, so a message is taken only if it has the run's token and every field is in its form.

internal import CSluice
internal import SluiceCommand
internal import SluiceSystem

/// Why databases are opened without Sluice.
enum Circumvention: UInt8 {
  case isStatic = 0x73  // s
  case gainsRights = 0x72  // r
  case otherMachine = 0x6d  // m
  case otherCLibrary = 0x63  // c
  case libraryUnreadable = 0x6c  // l
  case ownSQLite = 0x6f  // o
  case otherVFS = 0x76  // v
  /// The watcher itself has found the process.
  case notPreloaded = 0x6e  // n

  /// Whether the program cannot be reached. Otherwise it has opened a database.
  var isObstacle: Bool {
    switch self {
    case .isStatic, .gainsRights, .otherMachine, .otherCLibrary, .libraryUnreadable: true
    case .ownSQLite, .otherVFS, .notPreloaded: false
    }
  }
}

struct Told {
  var why: Circumvention
  var process: Int32
  /// The executed file: as the watcher sees it, or as its process names it.
  var program: String
  /// A program that cannot be reached.
  var file: SharedDescriptor?
  var database: String?
  /// The file that has the SQLite, if it is not the program.
  var library: String?

  /// Nil if the message is not one of this run. `sender` is the process that the kernel attests.
  init?(_ message: [UInt8], token: String, sender: Int32, file: SharedDescriptor?) {
    guard message.last == 0, message.count <= Int(SLUICE_TOLD_BYTE_COUNT_MAX) else { return nil }
    let fields = message.dropLast().split(separator: 0, omittingEmptySubsequences: false)
    guard fields.count == Int(SLUICE_TOLD_FIELD_COUNT),
      fields[0].elementsEqual(SLUICE_TOLD_VERSION.utf8), fields[1].elementsEqual(token.utf8),
      fields[2].count == 1, let why = Circumvention(rawValue: fields[2].first!),
      why != .notPreloaded, let number = Int32(text(ofBytes: fields[3])), number >= 0
    else { return nil }
    self.why = why
    process = number == 0 ? sender : number
    self.file = file
    let name = text(ofBytes: fields[4])
    // A process that has no /proc does not know its program.
    program =
      file.flatMap { readLink("/proc/self/fd/\($0.descriptor.rawValue)") }
      ?? (name.isEmpty ? ProcessEntry(process)?.key.program ?? "process \(process)" : name)
    database = fields[5].isEmpty ? nil : text(ofBytes: fields[5])
    let library = text(ofBytes: fields[6])
    // Of the program itself, a process knows only the name by which it was called.
    self.library = library.isEmpty || lastPart(library) == lastPart(program) ? nil : library
  }
}

private func lastPart(_ path: String) -> Substring { path.split(separator: "/").last ?? "" }
