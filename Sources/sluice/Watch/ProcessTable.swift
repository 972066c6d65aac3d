// What /proc tells of other processes. A process may end, or execute another program, between any
// two looks; then there is less to tell.

internal import CSluice
internal import CSluiceCommand
internal import SluiceCommand
internal import SluiceSystem

/// A process, and no other one that gets its number later.
struct ProcessKey: Hashable {
  let id: Int32
  /// In ticks since the system's start.
  let start: UInt64
}

struct ProcessEntry {
  let key: ProcessKey
  let parent: Int32

  /// Nil if there is no such process, or it has ended and only its status is left.
  init?(_ id: Int32) {
    // ID (NAME) STATE PARENT …: the name may have any character.
    guard let text = textOfFile("/proc/\(id)/stat", byteCountMaximum: 1024),
      let end = text.lastIndex(of: ")")
    else { return nil }
    let fields = text[text.index(after: end)...].split(separator: " ", maxSplits: 21)
    guard fields.count > 20, fields[0] != "Z", fields[0] != "X", let parent = Int32(fields[1]),
      let start = UInt64(fields[19])
    else { return nil }
    key = ProcessKey(id: id, start: start)
    self.parent = parent
  }

  /// All processes that can be seen, up to a large number.
  static func all() -> [ProcessEntry] {
    let names = (try? unsafe namesInDirectory(zeroTerminated("/proc"))) ?? []
    return names.lazy.filter { (0x30...0x39).contains($0[0]) }.prefix(50_000)
      .compactMap { Int32(text(ofBytes: $0)) }.compactMap { ProcessEntry($0) }
  }
}

extension ProcessKey {
  var isAlive: Bool { ProcessEntry(id)?.key == self }

  /// The executed file; nil if this user may not know it.
  var program: String? {
    readLink("/proc/\(id)/exe")
  }

  /// The file that its command line names, for a process whose program this user may not know.
  var namedProgram: String? {
    guard let words = textOfFile("/proc/\(id)/cmdline", byteCountMaximum: 4096),
      let name = words.split(separator: "\0").first, !name.isEmpty
    else { return nil }
    if name.contains("/") { return name.hasPrefix("/") ? String(name) : nil }
    let places = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"]
    return places.map { $0 + "/" + name }.first { unsafe access(zeroTerminated($0), F_OK) == 0 }
  }

  /// Whether its environment, as it was when it executed its program, has this text.
  func environmentHas(_ text: String) -> Bool {
    sluiceContents("/proc/\(id)/environ", text)?.contains(.library) == true
  }

  /// A database that it has open.
  var openDatabase: String? {
    let names = (try? unsafe namesInDirectory(zeroTerminated("/proc/\(id)/fd"))) ?? []
    for name in names.prefix(256) {
      let link = "/proc/\(id)/fd/" + text(ofBytes: name)
      if unsafe sluice_is_database(zeroTerminated(link)) == 1 { return readLink(link) }
    }
    return nil
  }

  /// Its children, without those of its other threads.
  var children: [ProcessKey] {
    let list = textOfFile("/proc/\(id)/task/\(id)/children", byteCountMaximum: 4096) ?? ""
    return list.split(separator: " ").compactMap { Int32($0) }.compactMap { ProcessEntry($0)?.key }
  }
}

/// Where a link of /proc leads, even if that file has no name any more; nil if this user may not know.
func readLink(_ link: String) -> String? {
  guard let target = try? unsafe readSymbolicLink(zeroTerminated(link)) else { return nil }
  let path = text(ofBytes: target)
  let mark = " (deleted)"
  return path.hasSuffix(mark) ? String(path.dropLast(mark.count)) : path
}

/// The processes with a lock on the bytes that SQLite locks.
func lockersOfDatabases() -> Set<Int32> {
  var lockers: Set<Int32> = []
  for line in (textOfFile("/proc/locks") ?? "").split(separator: "\n") {
    // 1: POSIX  ADVISORY  READ  1234 08:01:5678 1073741826 1073742335
    let words = line.split(separator: " ")
    guard words.count == 8, words[1] == "POSIX", let process = Int32(words[4]), process > 0,
      let start = UInt64(words[6]), (0x4000_0000..<0x4000_0200).contains(start)
    else { continue }
    lockers.insert(process)
  }
  return lockers
}

/// What a file contains.
struct Contents: OptionSet {
  let rawValue: Int32
  static let sqlite = Contents(rawValue: Int32(SLUICE_CONTAINS_SQLITE.rawValue))
  static let nameOfLibsqlite3 = Contents(rawValue: Int32(SLUICE_NAMES_LIBSQLITE3.rawValue))
  static let library = Contents(rawValue: Int32(SLUICE_NAMES_LIBRARY.rawValue))

  var hasSQLite: Bool { !isDisjoint(with: [.sqlite, .nameOfLibsqlite3]) }
}

/// Nil if the file cannot be read.
func sluiceContents(_ path: String, _ library: String = "") -> Contents? {
  let found = unsafe sluice_contents(zeroTerminated(path), zeroTerminated(library))
  return found < 0 ? nil : Contents(rawValue: found)
}
