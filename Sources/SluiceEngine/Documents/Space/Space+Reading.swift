// Reading documents, now and in the past.

internal import SluiceAutomerge

extension Space {
  // MARK: Content

  /// The JSON of what stands at the end of a path of keys at the tip; nil if the path leads nowhere.
  /// In a list, a key is an index.
  package func json(
    _ ref: BranchReference, at path: [String]
  ) throws(SpaceError) -> String? {
    if path.isEmpty { return try json(ref, at: .tip).json }
    let found = look(at: ref) { live -> Look in
      let view = live.document.view
      guard let value = view.value(atKeys: path) else { return .nothing }
      if case .object = value { return .object(BranchCopy(live)) }
      return .scalar(view.json(of: value))
    }
    let copy: BranchCopy
    switch found {
    case .nothing: return nil
    case .scalar(let json): return json
    // An object may be large: it is written without the lock.
    case .object(let known): copy = known
    case nil: copy = try self.copy(ref)
    }
    let view = try view(of: copy.tip, copy)
    return view.value(atKeys: path).map { view.json(of: $0) }
  }

  /// What a look at a path has found.
  private enum Look {
    case nothing
    case scalar(String)
    case object(BranchCopy)
  }

  /// The JSON of a state. With `paths`, it holds only what stands at these, each at its place; a path
  /// that leads nowhere adds nothing, and arrays on the way to a path become objects.
  package func json(
    _ ref: BranchReference, at point: DocumentPoint, paths: [[String]]? = nil
  ) throws(SpaceError) -> (state: DocumentState, json: String) {
    if let paths {
      guard paths.count <= Projection.pathCountMax,
        paths.allSatisfy({ $0.count <= Projection.pathDepthMax })
      else { throw SpaceError(.limitReached, "too many paths, or one is too deep") }
    }
    if point == .tip, paths == nil, let known = knownJSON(ref) { return known }
    let copy = try copy(ref)
    let state = try state(at: point, copy)
    let view = try view(of: state, copy)
    if let paths { return (state, Projection(paths).json(of: view)) }
    let json = view.json(of: .object(.map, .root))
    if state.sequence == copy.state.sequence { keep(json, ref, copy.state.sequence) }
    return (state, json)
  }

  /// An Automerge file of a state. Equal states of one branch are equal bytes, whatever caches there
  /// are: the changes stand in the order of their sequence numbers, uncompressed. It takes time in
  /// proportion to the document.
  package func bytes(
    _ ref: BranchReference, at point: DocumentPoint
  ) throws(SpaceError) -> (state: DocumentState, bytes: [UInt8]) {
    let copy = try copy(ref)
    let state = try state(at: point, copy)
    do throws(AutomergeError) {
      var part = Document(actor: copy.document.actor)
      if let sequence = state.sequence {
        // A genesis belongs to each state but the empty one.
        let count = sequence == 0 ? 0 : Int(sequence) + copy.record.genesisCount
        part = try copy.document.prefix(count)
      } else {
        let isIncluded = try copy.document.ancestry(of: state.heads.hashes)
        let history = copy.document.history
        try part.apply(isIncluded.indices.filter { isIncluded[$0] }.map { history[$0] })
      }
      return (state, part.save(compressing: false))
    } catch {
      throw SpaceError(.damaged, "the document \(ref) cannot be written: \(error)")
    }
  }

  /// Where a branch stood at a point.
  package func state(
    _ ref: BranchReference, at point: DocumentPoint
  ) throws(SpaceError) -> DocumentState {
    if point == .tip, let known = look(at: ref, { BranchCopy($0).tip }) { return known }
    return try state(at: point, try copy(ref))
  }

  /// The changes of a branch behind a sequence number, in order, at most `countMax`.
  package func changes(
    _ ref: BranchReference, after sequence: Int64, countMax: Int = .max
  ) throws(SpaceError) -> [SequencedChange] {
    try ref.check()
    let changes = try readers.read { (connection) throws(DatabaseError) -> [SequencedChange]? in
      guard let record = try connection.branch(ref) else { return nil }
      let tip = try connection.state(of: record.id).sequence
      let start = min(max(sequence, 0), tip)
      let last = countMax < Int(tip - start) ? start + Int64(max(countMax, 0)) : tip
      var changes: [SequencedChange] = []
      for segment in try connection.segments(of: record, after: start, upTo: last) {
        try connection.changes(of: segment) { change in
          changes.append(
            SequencedChange(
              sequence: change.sequence, epoch: change.transactionID, hash: change.hash,
              bytes: change.bytes))
        }
      }
      return changes
    }
    guard let changes else { throw missing(ref) }
    return changes
  }

  /// The last epoch of the space; 0 before the first.
  package func epoch() throws(SpaceError) -> Int64 {
    try readers.read { (connection) throws(DatabaseError) in
      try connection.lastTransaction()?.id ?? 0
    }
  }

  /// The last epoch that was committed at a time of RFC 3339 or before.
  package func epoch(at time: String) throws(SpaceError) -> Int64 {
    let normalised = try normalised(time)
    return try readers.read { (connection) throws(DatabaseError) in
      try connection.epoch(at: normalised)
    }
  }

  // MARK: Points

  private func normalised(_ time: String) throws(SpaceError) -> String {
    guard let normalised = SpaceTime.normalised(time) else {
      throw SpaceError(.invalidPoint, "\(time) is no time of RFC 3339")
    }
    return normalised
  }

  func state(
    at point: DocumentPoint, _ copy: BranchCopy
  ) throws(SpaceError) -> DocumentState {
    if case .heads(let heads) = point, copy.record.root == .genesis, heads.count == 1,
      heads.hashes.first == copy.document.history.first?.hash
    {
      return DocumentState(ref: copy.record.ref, epoch: nil, sequence: 0, heads: .none)
    }
    if let state = try copy.state(at: point) { return state }
    let time: String?
    if case .time(let text) = point { time = try normalised(text) } else { time = nil }
    let position = try readers.read { (connection) throws(DatabaseError) in
      var epoch: Int64 = 0
      if case .epoch(let wanted) = point { epoch = wanted }
      if let time { epoch = try connection.epoch(at: time) }
      return try connection.position(of: copy.record, at: epoch)
    }
    // The branch may have gone on since it was copied.
    if position.sequence >= copy.state.sequence { return copy.tip }
    return DocumentState(
      ref: copy.record.ref, epoch: position.epoch, sequence: position.sequence,
      heads: position.heads ?? copy.heads(at: position.sequence))
  }

  func view(of state: DocumentState, _ copy: BranchCopy) throws(SpaceError) -> View {
    do throws(AutomergeError) { return try copy.view(of: state) } catch {
      throw SpaceError(.damaged, "the branch \(copy.record.ref) lacks a head: \(error)")
    }
  }

  // MARK: Branches in memory

  /// What `body` gives of a live branch whose changes are all durable; nil if there is none.
  private func look<R>(at ref: BranchReference, _ body: (LiveBranch) -> R?) -> R? {
    live.table.withLock { table in
      guard let live = table.find(ref), live.committed == nil else { return nil }
      return body(live)
    }
  }

  /// A copy of a branch, which is loaded if it is not in memory.
  func copy(_ ref: BranchReference) throws(SpaceError) -> BranchCopy {
    try ref.check()
    var hasWaited = false
    while true {
      let group = live.group
      let (copy, removalCount, isOpen) = live.table.withLock {
        table -> (BranchCopy?, UInt64, Bool) in
        guard let live = table.find(ref) else { return (nil, table.removalCount, false) }
        return (live.isNew ? nil : BranchCopy(live), table.removalCount, live.committed != nil)
      }
      // A commit takes a sync; the state before it takes time in proportion to the document.
      if isOpen, !hasWaited {
        live.waitForEnd(of: group)
        hasWaited = true
        continue
      }
      if let copy { return copy }
      if isOpen { throw missing(ref) }
      return BranchCopy(try load(ref, removalCount))
    }
  }

  /// Has a branch in memory, if there is one.
  func warm(_ ref: BranchReference) throws(SpaceError) {
    let (isLive, removalCount) = live.table.withLock { ($0.find(ref) != nil, $0.removalCount) }
    if isLive { return }
    do throws(SpaceError) { _ = try load(ref, removalCount) } catch {
      guard error.code == .invalidBranch || error.code == .invalidDoc else { throw error }
    }
  }

  /// Loads a branch and keeps it, unless a branch has left the memory since `removalCount`: it may
  /// have been this one, changed.
  private func load(
    _ ref: BranchReference, _ removalCount: UInt64
  ) throws(SpaceError) -> LoadedBranch {
    let loaded = try readers.read { (connection) throws(DatabaseError) in
      try connection.load(ref)
    }
    guard let loaded else { throw missing(ref) }
    live.table.withLock { table in
      guard table.removalCount == removalCount, table.find(ref) == nil else { return }
      table.insert(LiveBranch(loaded))
    }
    return loaded
  }

  func missing(_ ref: BranchReference) -> SpaceError {
    let hasDocument = try? readers.read { (connection) throws(DatabaseError) in
      try connection.hasDocument(ref.docID)
    }
    return hasDocument == true
      ? SpaceError(.invalidBranch, "the document \(ref.docID) has no branch \(ref.branch)")
      : SpaceError(.invalidDoc, "there is no document \(ref.docID)")
  }

  // MARK: JSON of the tip

  private func knownJSON(_ ref: BranchReference) -> (state: DocumentState, json: String)? {
    look(at: ref) { live in
      guard let json = live.json, json.sequence == live.state.sequence else { return nil }
      return (BranchCopy(live).tip, json.text)
    }
  }

  private func keep(_ json: String, _ ref: BranchReference, _ sequence: Int64) {
    live.table.withLock { table in
      guard let live = table.find(ref), live.committed == nil, live.state.sequence == sequence
      else { return }
      live.json = (sequence, json)
      table.account(for: live)
    }
  }
}
