// A system call that waits for the supervisor's answer, and the files that it names.

internal import CSluice
internal import SluiceCommand
internal import SluiceSystem

struct HeldCall {
  enum Kind: Equatable {
    /// Mode, owner or times.
    case attributes(String)
    /// Extended attributes and flags.
    case otherAttributes
    case open, openUnnamed, truncate, make, remove, rename, link
    case nothing
  }

  private let call: sluice_call
  private let listener: Int32
  let kind: Kind
  var caller: Caller { Caller(thread: call.thread) }

  init(call: sluice_call, listener: Int32) {
    self.call = call
    self.listener = listener
    kind = HeldCall.kind(of: sluice_call_kind(rawValue: UInt32(call.kind)))
  }

  private static func kind(of kind: sluice_call_kind) -> Kind {
    switch kind {
    case sluice_call_mode: .attributes("change the mode of")
    case sluice_call_owner: .attributes("change the owner of")
    case sluice_call_times: .attributes("change the times of")
    case sluice_call_attribute: .otherAttributes
    case sluice_call_open: .open
    case sluice_call_open_unnamed: .openUnnamed
    case sluice_call_truncate: .truncate
    case sluice_call_make: .make
    case sluice_call_remove: .remove
    case sluice_call_rename: .rename
    case sluice_call_link: .link
    default: .nothing
    }
  }

  // MARK: Answers

  /// Whether the caller still waits.
  var isValid: Bool { sluice_call_is_held(listener, call.id) == 1 }

  func proceed() { sluice_call_continue(listener, call.id) }

  func answer(_ result: Int32) { sluice_call_answer(listener, call.id, result) }

  /// Makes the change of attributes at `file`. Returns 0 or the negated errno.
  func perform(on file: borrowing FileDescriptor) -> Int32 {
    var call = call
    return unsafe sluice_call_perform(&call, file.rawValue)
  }

  // MARK: Files

  /// The file whose attributes are to be changed, open for its path only.
  func file() throws(Errno) -> FileDescriptor {
    if call.error < 0 { throw Errno(-call.error) }
    guard call.path != 0 else { return try caller.file(call.directory) }
    let path = try caller.text(at: call.path)
    if path.count == 1 {
      guard call.takes_empty == 1 else { throw .noEntry }
      return try caller.file(call.directory)
    }
    return try caller.file(call.directory, path, follows: call.follows == 1)
  }

  /// The names that the call would make, remove or open.
  func names() throws(Errno) -> [NamedPlace] {
    if call.error < 0 { throw Errno(-call.error) }
    let first = try caller.text(at: call.path)
    switch kind {
    case .open:
      return [name(first, call.creates == 1 ? .isOpenedOrMade : .isOpened)]
    case .truncate: return [name(first, .isTruncated)]
    case .openUnnamed: return [name(first, .holdsUnnamed)]
    case .make: return [name(first, .isMade)]
    case .remove: return [name(first, .isRemoved)]
    case .rename:
      return [name(first, .isRenamed), try secondName(.isRenamedTo)]
    case .link: return [name(first, .isLinked), try secondName(.isLinkedTo)]
    case .attributes, .otherAttributes, .nothing: return []
    }
  }

  private func name(_ path: [CChar], _ use: NamedPlace.Use) -> NamedPlace {
    NamedPlace(
      caller: caller, directory: call.directory, path: path, follows: call.follows == 1, use: use)
  }

  private func secondName(_ use: NamedPlace.Use) throws(Errno) -> NamedPlace {
    NamedPlace(
      caller: caller, directory: call.second_directory,
      path: try caller.text(at: call.second_path), follows: false, use: use)
  }
}

extension HeldCall.Kind {
  /// The change, for the report.
  var change: String {
    switch self {
    case .attributes(let change): change
    default: "change an attribute of"
    }
  }
}

/// A name that a call would change, or whose file it would. Looks at the caller's files; changes
/// nothing.
struct NamedPlace {
  enum Use {
    case isOpened, isOpenedOrMade, isTruncated, holdsUnnamed, isMade, isRemoved, isRenamed
    case isRenamedTo, isLinked, isLinkedTo
  }

  let caller: Caller
  let directory: Int32
  let path: [CChar]
  let follows: Bool
  let use: Use

  /// The change, for the report.
  var change: String {
    switch use {
    case .isOpened, .isOpenedOrMade: "open for writing"
    case .isTruncated: "truncate"
    case .holdsUnnamed: "make a file in"
    case .isMade: "make"
    case .isRemoved: "remove"
    case .isRenamed: "rename"
    case .isRenamedTo: "rename to"
    case .isLinked: "link"
    case .isLinkedTo: "link to"
    }
  }

  /// The last part of the path.
  var text: String {
    let name = lastPart.name
    return use == .holdsUnnamed
      ? "" : SluiceCommand.text(ofBytes: name.map(UInt8.init(bitPattern:)))
  }

  /// The directory in which Landlock refuses what would be possible without it; nil if it refuses
  /// nothing, or the call fails in any case.
  func refusedPlace(by places: WritablePlaces) -> FileDescriptor? {
    let file = try? caller.file(directory, path, follows: follows)
    switch use {
    case .holdsUnnamed:
      guard let file else { return nil }
      return Self.refused(file, by: places)
    case .isOpened, .isOpenedOrMade, .isTruncated:
      if let file {
        guard let place = try? FilePlace(of: file.rawValue), !place.isDirectory,
          !places.allowsWriting(file), sluice_may_write(file.rawValue, 0) == 1
        else { return nil }
        return parent()
      }
      guard use == .isOpenedOrMade else { return nil }
    case .isMade, .isLinkedTo:
      if file != nil { return nil }
    case .isRemoved, .isRenamed, .isLinked:
      if file == nil { return nil }
    case .isRenamedTo: break
    }
    guard let parent = parent() else { return nil }
    return Self.refused(parent, by: places)
  }

  private static func refused(
    _ directory: consuming FileDescriptor, by places: WritablePlaces
  ) -> FileDescriptor? {
    if places.contains(directory) || sluice_may_write(directory.rawValue, 1) == 0 { return nil }
    return directory
  }

  /// The directory of the name as it stands in the path.
  private func parent() -> FileDescriptor? {
    let above = lastPart.above
    if above.isEmpty { return try? caller.file(directory) }
    return try? caller.file(directory, above + [0], follows: true)
  }

  private var lastPart: (above: [CChar], name: [CChar]) {
    let slash = CChar(bitPattern: UInt8(ascii: "/"))
    var words = path.dropLast()
    while words.count > 1, words.last == slash { words.removeLast() }
    guard let end = words.lastIndex(of: slash) else { return ([], Array(words)) }
    return (Array(words[...end]), Array(words[(end + 1)...]))
  }
}
