// The model of locks: SQLite's five levels, and the eight locks of a WAL index. No session waits,
// so there is no line, and `busy` is right exactly when another session's lock is in the way.

internal import SluiceWire

extension FileModel {
  // MARK: The five levels

  func lock(_ handle: ModelHandle, _ level: LockLevel) -> Expected {
    if level == .none || level == .pending { return Expected(.misuse) }
    if level > .shared, handle.level == .none { return Expected(.misuse) }
    if handle.level >= level { return Expected(.done) }
    var highest = LockLevel.none
    for other in handle.file.handles where other !== handle { highest = max(highest, other.level) }
    if highest >= .pending, !(canary == .pending && level == .shared) { return Expected(.busy) }
    if level > .shared, highest >= .reserved { return Expected(.busy) }
    if level == .exclusive, handle.indexLocks != nil, handle.level == .shared {
      // In WAL mode it is for the last one, and nobody waits for readers.
      let others = handle.file.handles.filter { $0 !== handle }
      if highest >= .shared || others.contains(where: { $0.indexLocks != nil }) {
        return Expected(.busy)
      }
    } else if level == .exclusive, highest >= .shared {
      // It keeps PENDING while it waits for the readers to go.
      handle.level = .pending
      return Expected(.busyPending)
    }
    handle.level = level
    if level == .reserved { handle.wasReserved = true }
    if level >= .reserved { handle.file.mayLookReserved = false }
    return Expected(.done)
  }

  func unlock(_ handle: ModelHandle, _ level: LockLevel) -> Expected {
    if level > .shared { return Expected(.misuse) }
    handle.level = min(handle.level, level)
    handle.wasReserved = false
    return Expected(.done)
  }

  func checkReserved(_ handle: ModelHandle) -> Expected {
    let isReserved = handle.file.handles.contains { $0.wasReserved }
    if !isReserved, handle.file.mayLookReserved { return Expected(.done, .anyAnswer) }
    return Expected(.done, .answer(isReserved))
  }

  // MARK: The WAL index

  func walIndex(_ handle: ModelHandle, _ step: ModelStep) -> Expected? {
    switch step.kind {
    case .walMap: return map(handle, step)
    case .walLock:
      guard handle.indexLocks != nil else { return Expected(.misuse) }
      return lockIndex(
        handle, Int(step.at)..<(Int(step.at) + Int(step.count)),
        WALLockKind(rawValue: UInt64(step.value))!)
    case .walUnmap:
      leaveIndex(handle, deletes: step.value != 0)
      return Expected(.done)
    default: return Expected(.done, .answer(hasExternalReader(handle, Int(step.session))))
    }
  }

  struct MapOptions: OptionSet {
    let rawValue: UInt8
    static let extends = MapOptions(rawValue: 1)
    static let isReadOnly = MapOptions(rawValue: 2)
    static let wantsDescriptor = MapOptions(rawValue: 4)
  }

  private func map(_ handle: ModelHandle, _ step: ModelStep) -> Expected? {
    let options = MapOptions(rawValue: step.options)
    let isReadOnly = options.contains(.isReadOnly)
    if handle.name == ModelNames.unnamed { return Expected(.misuse) }
    guard ModelNames.isDatabase(handle.name), names[handle.name] === handle.file else { return nil }
    let index: ModelIndex
    if let present = handle.file.index {
      index = present
    } else {
      let name = ModelNames.indexName(ofDatabase: handle.name)
      if names[name] == nil {
        if isReadOnly { return Expected(.notFound) }
        self[name: name] = makeFile()
      }
      index = ModelIndex(names[name]!)
      handle.file.index = index
    }
    if handle.indexLocks == nil {
      handle.indexLocks = (0, 0)
      index.userCount += 1
    }
    if !index.isSetUp {
      if isReadOnly { return Expected(.walIndexNotSetUp) }
      // SQLite's unix VFS leaves the file the same way; its content is the clients' business.
      index.file.byteCount = 3
      index.isSetUp = true
    }
    let wanted = Int(step.count)
    if options.contains(.extends), !isReadOnly, wanted > index.file.byteCount {
      guard wanted % 4096 == 0, wanted - index.file.byteCount <= 1 << 20 else {
        return Expected(.misuse)
      }
      index.file.byteCount = wanted
    }
    return Expected(isReadOnly ? .doneReadOnly : .done, .size(Int64(index.file.byteCount)))
  }

  private func lockIndex(
    _ handle: ModelHandle, _ locks: Range<Int>, _ kind: WALLockKind
  ) -> Expected? {
    var own = handle.indexLocks!
    defer { handle.indexLocks = own }
    var shared: UInt8 = 0
    var exclusive: UInt8 = 0
    for other in handle.file.handles where other !== handle {
      shared |= other.indexLocks?.shared ?? 0
      exclusive |= other.indexLocks?.exclusive ?? 0
    }
    let wanted = locks.reduce(UInt8(0)) { $0 | 1 << UInt8($1) }
    switch kind {
    case .unlock:
      own.shared &= ~wanted
      own.exclusive &= ~wanted
    case .shared:
      // After a refusal, SPEC.md leaves open which of several requested locks are held.
      if (own.exclusive | exclusive) & wanted != 0 {
        return locks.count == 1 ? Expected(.busy) : nil
      }
      own.shared |= wanted
    case .exclusive:
      // A shared lock cannot become exclusive. All locks or none.
      let missing = wanted & ~own.exclusive
      if missing & (shared | exclusive | own.shared) != 0 { return Expected(.busy) }
      own.exclusive |= wanted
    }
    return Expected(.done)
  }

  func leaveIndex(_ handle: ModelHandle, deletes: Bool) {
    guard handle.indexLocks != nil, let index = handle.file.index else { return }
    handle.indexLocks = nil
    index.userCount -= 1
    guard index.userCount == 0 else { return }
    handle.file.index = nil
    if deletes { self[name: ModelNames.indexName(ofDatabase: handle.name)] = nil }
    reclaim(index.file)
  }

  /// Whether another session holds a READ lock, one of the last five.
  private func hasExternalReader(_ handle: ModelHandle, _ session: Int) -> Bool {
    for other in sessions.indices where other != session {
      for case let foreign? in sessions[other].handles where foreign.file === handle.file {
        guard let locks = foreign.indexLocks else { continue }
        if (locks.shared | locks.exclusive) & 0b1111_1000 != 0 { return true }
      }
    }
    return false
  }
}
