// The right answers of a sidecar, after SPEC.md: files with their content, names, locks and WAL
// indexes in plain memory. `expect` takes one step, changes the model and returns the expected
// answer.
//
// The model covers what SPEC.md decides. It does not send what SPEC.md leaves open (`expect`
// returns nil): taking the name from a database in WAL mode, because two indexes would then share
// one file, and opening the `-shm` by its name. No process outside uses the files, so the answers
// do not depend on when the sidecar owns a file.
//
// Confined to one thread, like everything in a model run.

internal import CSluice
internal import SluiceWire
internal import ToolSupport

/// A file, with or without a name.
@safe
final class ModelFile {
  /// Room for the largest file. The bytes beyond `byteCount` are zero.
  let content: UnsafeMutableRawPointer
  var byteCount = 0
  /// Its open files, of all sessions.
  var handles: [ModelHandle] = []
  /// Exists while a handle has joined it.
  var index: ModelIndex?
  /// A session that held RESERVED or more has vanished. The sidecar may not have noticed yet.
  var mayLookReserved = false
  /// No session can reach it any more; its room belongs to other files.
  var isReclaimed = false
  /// The origin that the sidecar told, once it has.
  var origin: UInt64?

  init(content: UnsafeMutableRawPointer) { unsafe self.content = unsafe content }
}

extension ModelFile: Equatable {
  static func == (a: ModelFile, b: ModelFile) -> Bool { a === b }
}

/// The WAL index of a database.
final class ModelIndex {
  let file: ModelFile
  var userCount = 0
  var isSetUp = false

  init(_ file: ModelFile) { self.file = file }
}

/// An open file of a session.
final class ModelHandle {
  let file: ModelFile
  let name: Int
  let kind: FileKind
  let isWritable: Bool
  /// The place of the channel on which it was opened.
  let channel: UInt8
  /// Whether its locks may stand in the channel's word.
  let stands: Bool
  var level = LockLevel.none
  /// Whether it reached its level by RESERVED, and not straight from SHARED.
  var wasReserved = false
  /// The locks that it holds on the WAL index, a bit each; nil until it joins.
  var indexLocks: (shared: UInt8, exclusive: UInt8)?

  init(
    file: ModelFile, name: Int, kind: FileKind, isWritable: Bool, channel: UInt8, stands: Bool
  ) {
    self.file = file
    self.name = name
    self.kind = kind
    self.isWritable = isWritable
    self.channel = channel
    self.stands = stands
  }
}

/// A wrong belief of the model, on purpose: a run must then find a difference.
enum ModelCanary: String, CaseIterable {
  /// That bytes cut off come back when the file grows.
  case truncate
  /// That a reader may come while a writer holds PENDING.
  case pending
  /// That a handle that closes a database still uses its WAL index.
  case close
}

/// The right answer to a step.
struct Expected {
  enum Result: Equatable {
    case none
    case size(Int64)
    case answer(Bool)
    /// Either answer is right.
    case anyAnswer
    /// A full path name: the root's, then this name's.
    case path(Int)
    /// `count` bytes: those from `start` on among the expected bytes.
    case content(start: Int, count: Int)
    /// `database` is the file, where a name opened it as a database.
    case opened(isWritable: Bool, database: ModelFile?)
    case channel
    /// A WAL has a read window only if its database is open under a name that fits, and no other
    /// WAL of that database has one: `misuse` is right too.
    case perhapsWindow
  }

  var status: Status
  var result = Result.none
  /// The errno that the answer must have, where SPEC.md names one.
  var errno: Int32 = 0

  init(_ status: Status, _ result: Result = .none, errno: Int32 = 0) {
    self.status = status
    self.result = result
    self.errno = errno
  }
}

@safe
final class FileModel {
  struct Session {
    var handles: [ModelHandle?] = Array(repeating: nil, count: ModelLimits.files)
    var channels: [Bool] = [true] + Array(repeating: false, count: ModelLimits.channels - 1)
    /// For each channel: whether an open database has its word for standing locks.
    var standing = [Bool](repeating: false, count: ModelLimits.channels)
  }

  var sessions: [Session]
  private(set) var names: [ModelFile?] = Array(repeating: nil, count: ModelNames.count)
  let canary: ModelCanary?
  /// The expected content of the awaited answers, one behind the other.
  let expectedBytes: UnsafeMutableRawPointer
  var expectedByteCount = 0
  static let expectedByteCountMaximum = 8 << 20
  private var spareContents: [UnsafeMutableRawPointer] = unsafe []
  private var allContents: [UnsafeMutableRawPointer] = unsafe []

  init(sessions count: Int, canary: ModelCanary?) {
    sessions = Array(repeating: Session(), count: count)
    self.canary = canary
    unsafe expectedBytes = .allocate(byteCount: FileModel.expectedByteCountMaximum, alignment: 64)
  }

  deinit {
    unsafe expectedBytes.deallocate()
    for index in unsafe 0..<allContents.count { unsafe allContents[index].deallocate() }
  }

  // MARK: Steps

  /// The place of the channel that carries a step: the home channel where the step's own is not
  /// open.
  func channel(of step: ModelStep) -> Int {
    sessions[Int(step.session)].channels[Int(step.channel)] ? Int(step.channel) : 0
  }

  func handle(_ step: ModelStep) -> ModelHandle? {
    sessions[Int(step.session)].handles[Int(step.file)]
  }

  /// The right answer of the sidecar; nil where the step must not be sent.
  func expect(_ step: ModelStep) -> Expected? {
    switch step.kind {
    case .nothing: return Expected(.done)
    case .unknown: return Expected(.unknownOperation)
    case .open: return open(step)
    case .delete, .access, .fullPathname, .strangePath: return byName(step)
    case .channelOpen, .channelClose: return channels(step)
    case .leave, .vanish, .look: preconditionFailure("these are no requests")
    default: break
    }
    guard let handle = handle(step) else { return Expected(.badFile) }
    switch step.kind {
    case .close:
      close(handle, of: Int(step.session))
      return Expected(.done)
    case .read: return read(handle, step)
    case .write, .truncate, .allocate: return change(handle, step)
    case .fileSize: return Expected(.done, .size(Int64(handle.file.byteCount)))
    case .sync: return Expected(.done)
    case .lock:
      // For the sidecar, an unused standing lock is as good as held.
      if handle.stands, handle.level == .none, step.value > 1 { return nil }
      return lock(handle, LockLevel(rawValue: UInt64(step.value))!)
    case .unlock: return unlock(handle, LockLevel(rawValue: UInt64(step.value))!)
    case .checkReserved: return checkReserved(handle)
    case .hasMoved:
      let moved = handle.name != ModelNames.unnamed && names[handle.name] !== handle.file
      return Expected(.done, .answer(moved))
    case .openWindow:
      return handle.kind == .wal
        ? Expected(.done, .perhapsWindow)
        : Expected(handle.kind == .mainDatabase ? .done : .misuse)
    default: return walIndex(handle, step)
    }
  }

  // MARK: Content

  private func read(_ handle: ModelHandle, _ step: ModelStep) -> Expected {
    let file = handle.file
    let wanted = Int(step.count)
    let start = Int(clamping: step.at)
    let count = max(0, min(wanted, file.byteCount - start))
    let place = expectedByteCount
    if count > 0 {
      unsafe (expectedBytes + place).copyMemory(from: file.content + start, byteCount: count)
      expectedByteCount += count
    }
    return Expected(count == wanted ? .done : .doneShort, .content(start: place, count: count))
  }

  private func change(_ handle: ModelHandle, _ step: ModelStep) -> Expected {
    guard handle.isWritable else { return Expected(.readOnly) }
    let file = handle.file
    switch step.kind {
    case .write:
      let count = Int(step.count)
      if count == 0 { break }
      let start = Int(step.at)
      unsafe (file.content + start).copyMemory(
        from: ModelNoise.bytes(step.fill), byteCount: count)
      file.byteCount = max(file.byteCount, start + count)
    case .truncate: resize(file, Int(step.at))
    default: resize(file, max(file.byteCount, Int(step.at)))
    }
    return Expected(.done)
  }

  func resize(_ file: ModelFile, _ byteCount: Int) {
    if byteCount < file.byteCount, canary != .truncate {
      unsafe memset(file.content + byteCount, 0, file.byteCount - byteCount)
    }
    file.byteCount = byteCount
  }

  func makeFile() -> ModelFile {
    if let spare = unsafe spareContents.popLast() { return unsafe ModelFile(content: spare) }
    let made = UnsafeMutableRawPointer.allocate(
      byteCount: ModelLimits.fileByteCount, alignment: 4096)
    unsafe memset(made, 0, ModelLimits.fileByteCount)
    unsafe allContents.append(made)
    return unsafe ModelFile(content: made)
  }

  // MARK: Names and files

  subscript(name name: Int) -> ModelFile? {
    get { names[name] }
    set {
      let before = names[name]
      names[name] = newValue
      if let before { reclaim(before) }
    }
  }

  /// Reclaims the room of a file that no session can reach any more.
  func reclaim(_ file: ModelFile) {
    guard file.handles.isEmpty, !names.contains(where: { $0 === file }) else { return }
    // The index's file has no handles of its own.
    if names.contains(where: { $0?.index?.file === file }) { return }
    if sessions.contains(where: { $0.handles.contains { $0?.file.index?.file === file } }) {
      return
    }
    if file.isReclaimed { return }
    file.isReclaimed = true
    let dirtyByteCount =
      canary == .truncate
      ? ModelLimits.fileByteCount : min(file.byteCount, ModelLimits.fileByteCount)
    unsafe memset(file.content, 0, dirtyByteCount)
    unsafe spareContents.append(file.content)
  }

  func close(_ handle: ModelHandle, of session: Int) {
    if canary != .close { leaveIndex(handle, deletes: false) }
    let file = handle.file
    file.handles.removeAll { $0 === handle }
    // The word is the next database's.
    if handle.stands { sessions[session].standing[Int(handle.channel)] = false }
    for place in sessions[session].handles.indices
    where sessions[session].handles[place] === handle {
      sessions[session].handles[place] = nil
    }
    reclaim(file)
  }

  /// Ends a session with everything that it had.
  func end(_ session: Int, unheard: Bool) {
    for case let handle? in sessions[session].handles {
      if unheard, handle.wasReserved { handle.file.mayLookReserved = true }
      close(handle, of: session)
    }
    sessions[session] = Session()
  }
}

/// The bytes that are written: a part of one block of noise, the same in every run.
enum ModelNoise {
  private static let byteCount = 65_536 + 65_536

  nonisolated(unsafe) private static let block: UnsafeMutableRawPointer = {
    let block = UnsafeMutableRawPointer.allocate(byteCount: byteCount, alignment: 64)
    var random = SplitMix64(seed: 0x5105_10ce)
    for index in 0..<byteCount / 8 {
      unsafe block.storeBytes(of: random.next(), toByteOffset: index * 8, as: UInt64.self)
    }
    return unsafe block
  }()

  /// 64 KiB from `fill` on.
  static func bytes(_ fill: UInt16) -> UnsafeRawPointer {
    unsafe UnsafeRawPointer(block + Int(fill))
  }
}
