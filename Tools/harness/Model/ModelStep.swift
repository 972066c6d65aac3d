// One operation of a model run, and how it stands in a script.
//
//   [+]SESSION.CHANNEL KIND FIELD=VALUE …
//
// `+` means: posted behind the step before on the same channel, without waiting for its answer.
// Small numbers of the script's own name sessions, channels and files (a file's number is a place
// in its session's table). So a step keeps its meaning when steps before it are left out: a place
// where nothing was opened names a file that does not exist.

struct ModelStep: Equatable {
  enum Kind: UInt8, CaseIterable {
    case nothing, unknown, open, close, read, write, truncate, allocate, fileSize, sync
    case lock, unlock, checkReserved, hasMoved, openWindow, look
    case walMap, walLock, walUnmap, externalReader
    case delete, access, fullPathname, strangePath
    case channelOpen, channelClose
    /// The session hangs up and connects anew: after hearing that it is over, or (`vanish`)
    /// without.
    case leave, vanish

    /// The numbers of the step, in the order of the script.
    var fields: [Field] {
      switch self {
      case .nothing, .leave, .vanish: []
      case .unknown: [.value]
      case .open: [.file, .name, .spelling, .kind, .options]
      case .close, .fileSize, .sync, .checkReserved, .hasMoved, .openWindow, .externalReader:
        [.file]
      case .read: [.file, .at, .count]
      case .write: [.file, .at, .count, .fill]
      case .truncate, .allocate, .look: [.file, .at]
      case .lock, .unlock: [.file, .value]
      case .walMap: [.file, .count, .options]
      case .walLock: [.file, .at, .count, .value]
      case .walUnmap: [.file, .value]
      case .delete: [.name, .spelling, .value]
      case .access: [.name, .spelling, .value]
      case .fullPathname: [.name, .spelling]
      case .strangePath: [.value, .options]
      case .channelOpen, .channelClose: [.value]
      }
    }
  }

  enum Field: String {
    case file, name, spelling, kind, options, at, count, fill, value
  }

  var kind: Kind
  var session: UInt8 = 0
  var channel: UInt8 = 0
  /// Whether it is posted behind the step before.
  var joins = false
  var file: UInt8 = 0
  var name: UInt8 = 0
  var spelling: UInt8 = 0
  var fileKind: UInt8 = 0
  var options: UInt8 = 0
  var value: UInt16 = 0
  var fill: UInt16 = 0
  var count: Int32 = 0
  var at: Int64 = 0

  init(_ kind: Kind) { self.kind = kind }

  private subscript(field: Field) -> Int64 {
    get {
      switch field {
      case .file: Int64(file)
      case .name: Int64(name)
      case .spelling: Int64(spelling)
      case .kind: Int64(fileKind)
      case .options: Int64(options)
      case .at: at
      case .count: Int64(count)
      case .fill: Int64(fill)
      case .value: Int64(value)
      }
    }
    set {
      switch field {
      case .file: file = UInt8(clamping: newValue)
      case .name: name = UInt8(clamping: newValue)
      case .spelling: spelling = UInt8(clamping: newValue)
      case .kind: fileKind = UInt8(clamping: newValue)
      case .options: options = UInt8(clamping: newValue)
      case .at: at = newValue
      case .count: count = Int32(clamping: newValue)
      case .fill: fill = UInt16(clamping: newValue)
      case .value: value = UInt16(clamping: newValue)
      }
    }
  }

  // MARK: Text

  var text: String {
    var line = "\(joins ? "+" : "")\(session).\(channel) \(kind)"
    for field in kind.fields {
      let shown = field == .name ? ModelNames.text(Int(name)) : String(self[field])
      line += " \(field.rawValue)=\(shown)"
    }
    return line
  }

  /// Nil where the line is no step.
  init?(_ line: Substring) {
    var words = line.split(separator: " ")
    guard words.count >= 2 else { return nil }
    var place = words.removeFirst()
    let joins = place.first == "+"
    if joins { place.removeFirst() }
    let numbers = place.split(separator: ".").map { UInt8($0) }
    let kindName = words.removeFirst()
    guard numbers.count == 2, let session = numbers[0], let channel = numbers[1],
      let kind = Kind.allCases.first(where: { "\($0)" == kindName })
    else { return nil }
    self.init(kind)
    (self.session, self.channel, self.joins) = (session, channel, joins)
    for word in words {
      let parts = word.split(separator: "=", maxSplits: 1)
      guard parts.count == 2, let field = Field(rawValue: String(parts[0])),
        kind.fields.contains(field)
      else { return nil }
      if field == .name {
        guard let index = ModelNames.index(String(parts[1])) else { return nil }
        name = UInt8(index)
      } else {
        guard let value = Int64(parts[1]) else { return nil }
        self[field] = value
      }
    }
    guard isWithinLimits else { return nil }
  }

  /// Whether a script may contain it. Violations of the protocol are left out, and so is what the
  /// model has no room for.
  private var isWithinLimits: Bool {
    guard Int(session) < ModelLimits.sessions, Int(channel) < ModelLimits.channels,
      Int(file) < ModelLimits.files, Int(name) <= ModelNames.count
    else { return false }
    switch kind {
    case .read, .write:
      return count >= 0 && count <= 65_536 && at >= 0
        && (kind == .read || at + Int64(count) <= Int64(ModelLimits.fileByteCount))
    case .truncate, .allocate: return at >= 0 && at <= Int64(ModelLimits.fileByteCount)
    case .look: return at >= 0
    case .lock, .unlock: return value <= 4
    case .walMap: return count >= 0 && options <= 15
    case .walLock: return at >= 0 && count >= 1 && at + Int64(count) <= 8 && value <= 2
    case .open: return options < 128 && (1...5).contains(fileKind)
    case .access: return value <= 2
    default: return true
    }
  }
}

/// The sizes of the model.
enum ModelLimits {
  static let sessions = 64
  /// Of each session, with its home channel.
  static let channels = 4
  /// Places for open files of each session.
  static let files = 16
  static let fileByteCount = 256 * 1024
}

/// The names that a run works with: databases with their journals, logs and indexes. On disk, the
/// run's own tag stands before each name.
enum ModelNames {
  private static let suffixes = ["", "-journal", "-wal", "-shm"]
  private static let databaseCount = 3
  static let count = databaseCount * suffixes.count
  /// The file without a name.
  static let unnamed = count

  static func isDatabase(_ index: Int) -> Bool { index % 4 == 0 && index < count }
  static func isIndex(_ index: Int) -> Bool { index % 4 == 3 && index < count }
  /// The name of the database that this name belongs to.
  static func database(_ index: Int) -> Int { index & ~3 }
  static func indexName(ofDatabase index: Int) -> Int { index + 3 }

  static func text(_ index: Int) -> String {
    if index == unnamed { return "unnamed" }
    let letters = ["a", "b", "c"]
    return letters[index / 4] + ".db" + suffixes[index % 4]
  }

  static func index(_ text: String) -> Int? { (0...count).first { self.text($0) == text } }
}
