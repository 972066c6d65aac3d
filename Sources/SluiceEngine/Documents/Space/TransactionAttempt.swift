// A transaction in memory: each rule is checked, and each write applied to the live branches. Nothing
// is written to the file before all of it holds, so a refusal leaves nothing there.
//
// The writer makes an attempt under the lock of `LiveBranches`.

internal import SluiceAutomerge

/// What an attempt has to know of the space.
struct AttemptContext {
  var settings: SpaceSettings
  var invariants: [Invariant]
  /// The branches that the request and the invariants name, as far as there are any.
  var branches: [BranchReference: LiveBranch]
  var nextBranchID: Int64
  /// Now, in the stored form.
  var time: String
  /// Seconds since 1970, for changes that the server makes.
  var seconds: Int64
  /// The author of the server's changes on a branch.
  var serverActor: (Int64) -> ActorID
}

struct TransactionAttempt {
  let prepared: PreparedTransaction
  private(set) var context: AttemptContext
  /// In the order in which they were touched.
  private(set) var touched: [TouchedBranch] = []
  private(set) var created: [LiveBranch] = []
  private var touchedByRef: [BranchReference: TouchedBranch] = [:]
  private(set) var results: [TransactionReceipt.Result] = []
  private(set) var conflicts: [TransactionReceipt.Result] = []
  private var budget = InvariantBudget()
  private var geneses: [String: Change] = [:]

  init(_ prepared: PreparedTransaction, _ context: AttemptContext) {
    self.prepared = prepared
    self.context = context
  }

  /// Whether everything holds. If not, everything is as it was.
  mutating func run() -> Bool {
    for read in prepared.request.reads { check(read) }
    for write in prepared.writes {
      do throws(Refusal) {
        results.append(try apply(write))
      } catch {
        results.append(error.result)
        conflicts.append(error.result)
      }
    }
    if conflicts.isEmpty { checkInvariants() }
    if conflicts.isEmpty { return true }
    undo()
    return false
  }

  /// Takes everything back.
  func undo() { for branch in touched.reversed() { branch.undo() } }

  struct Refusal: Error {
    var result: TransactionReceipt.Result

    init(
      _ ref: BranchReference, _ status: TransactionReceipt.Status,
      _ code: TransactionReceipt.Code, _ reason: String, heads: Heads? = nil
    ) { result = .refusal(ref, status, code, reason, heads: heads) }
  }

  // MARK: Reads

  private mutating func check(_ read: TransactionRequest.Read) {
    guard let live = context.branches[read.ref] else {
      conflicts.append(
        .refusal(read.ref, .rejected, .invalidBranch, "there is no branch \(read.ref)"))
      return
    }
    if read.heads == live.state.heads || read.heads == visibleHeads(of: live) { return }
    conflicts.append(
      .refusal(
        read.ref, .conflict, .readConflict, "read conflict", heads: visibleHeads(of: live)))
  }

  /// The heads as a writer names them: the genesis is the head of a branch that has it alone.
  private func visibleHeads(of live: LiveBranch) -> Heads {
    guard live.record.root == .genesis, live.state.heads.isEmpty else { return live.state.heads }
    return Heads(ascending: live.document.heads)
  }

  // MARK: Writes

  private mutating func apply(
    _ prepared: PreparedTransaction.Write
  ) throws(Refusal) -> TransactionReceipt.Result {
    if let flaw = prepared.flaw { throw Refusal(flaw) }
    let write = prepared.write
    let live = try branch(write.ref)
    guard !live.record.isClosed else {
      throw Refusal(write.ref, .rejected, .branchClosed, "the branch is closed")
    }
    let touched = touch(live)
    let sequenceBefore = live.state.sequence
    let sources = try sources(of: write, into: live)
    try settleRoot(of: live, prepared, sources)
    try checkBase(prepared, live)
    let batch = try batch(prepared, live, sources)
    try apply(batch, to: touched)
    try mergeHeads(write, touched)
    if write.closesSources, live.state.heads.count == 1 {
      for source in sources { close(source, mergedInto: touched) }
    }
    var result = TransactionReceipt.Result(ref: write.ref, status: .ok)
    result.heads = live.state.heads
    result.sequence = live.state.sequence
    result.applied = Int(live.state.sequence - sequenceBefore)
    result.root = live.record.root
    return result
  }

  /// The branch, which the write makes if there is none.
  private mutating func branch(_ ref: BranchReference) throws(Refusal) -> LiveBranch {
    if let live = context.branches[ref] { return live }
    let record = BranchRecord(
      id: context.nextBranchID, ref: ref, origin: BranchState(), createdAt: context.time)
    let live = LiveBranch(
      LoadedBranch(
        record: record, state: BranchState(), document: Document(actor: .random()),
        snapshotSequence: 0), isNew: true)
    context.nextBranchID += 1
    context.branches[ref] = live
    created.append(live)
    return live
  }

  private mutating func touch(_ live: LiveBranch) -> TouchedBranch {
    if let known = touchedByRef[live.record.ref] { return known }
    let branch = TouchedBranch(live)
    for invariant in context.invariants where invariant.scope.contains(live.record.ref.docID) {
      branch.memories.append((invariant, invariant.memory(of: live.document.view, &budget)))
    }
    touched.append(branch)
    touchedByRef[live.record.ref] = branch
    return branch
  }

  // MARK: Bases

  private mutating func genesis(of docID: String) throws(Refusal) -> Change {
    if let known = geneses[docID] { return known }
    do throws(AutomergeError) {
      let change = try Genesis.change(of: docID)
      geneses[docID] = change
      return change
    } catch {
      throw Refusal(
        BranchReference(docID), .rejected, .invalidDoc, "the document can have no genesis: \(error)"
      )
    }
  }

  /// Decides with what a branch begins that has no change yet.
  private mutating func settleRoot(
    of live: LiveBranch, _ prepared: PreparedTransaction.Write, _ sources: [LiveBranch]
  ) throws(Refusal) {
    let ref = live.record.ref
    if let root = live.record.root {
      guard sources.allSatisfy({ $0.record.root == nil || $0.record.root == root }) else {
        throw Refusal(
          ref, .rejected, .invalidBranch,
          "of the branches one begins with the document's genesis and one does not")
      }
      return
    }
    let genesis = try genesis(of: ref.docID)
    let wanted: Root?
    switch prepared.write.base {
    case .heads(let heads) where heads == Heads(ascending: [genesis.hash]): wanted = .genesis
    case .heads(let heads) where heads.isEmpty:
      wanted = prepared.changes.isEmpty ? sources.first?.record.root : .plain
    case .heads:
      throw Refusal(
        ref, .conflict, .incorrectGenesis, "incorrect genesis",
        heads: Heads(ascending: [genesis.hash]))
    case .current:
      let followsGenesis = prepared.changes.contains { $0.dependencies.contains(genesis.hash) }
      wanted = followsGenesis ? .genesis : sources.first?.record.root ?? .plain
    }
    guard let wanted else { return }
    if wanted == .genesis {
      do throws(AutomergeError) { try live.document.apply(genesis) } catch {
        throw Refusal(ref, .rejected, .invalidDoc, "the document can have no genesis: \(error)")
      }
    }
    live.record.root = wanted
  }

  private mutating func checkBase(
    _ prepared: PreparedTransaction.Write, _ live: LiveBranch
  ) throws(Refusal) {
    guard case .heads(let base) = prepared.write.base, base != live.state.heads,
      base != visibleHeads(of: live)
    else {
      // The genesis is the base of a document that begins with it, nothing is not.
      if case .heads(let base) = prepared.write.base, base.isEmpty, live.record.root == .genesis {
        throw Refusal(
          prepared.write.ref, .conflict, .incorrectGenesis, "incorrect genesis",
          heads: visibleHeads(of: live))
      }
      return
    }
    // A write that comes again has been done.
    let changes = prepared.changes
    if !changes.isEmpty, changes.allSatisfy({ live.document.contains($0.hash) }) { return }
    let heads = visibleHeads(of: live)
    guard prepared.write.allowsServerMerge else {
      throw Refusal(
        prepared.write.ref, .conflict, .staleBaseHeads, "baseHeads mismatch", heads: heads)
    }
    guard context.settings.enableServerMerge else {
      throw Refusal(
        prepared.write.ref, .conflict, .serverMergeDisabled, "cannot server-merge", heads: heads)
    }
    let isKnown = base.hashes.allSatisfy { live.document.contains($0) }
    guard isKnown, !base.isEmpty || live.record.root == .plain else {
      throw Refusal(
        prepared.write.ref, .conflict, .staleBaseHeads, "baseHeads mismatch", heads: heads)
    }
  }

  // MARK: Changes

  /// What is new to the branch: the changes of merged branches, then the write's own.
  private mutating func batch(
    _ prepared: PreparedTransaction.Write, _ live: LiveBranch, _ sources: [LiveBranch]
  ) throws(Refusal) -> [Change] {
    let ref = prepared.write.ref
    var batch: [Change] = []
    var hashes: Set<ChangeHash> = []
    var sequences: [ActorID: UInt64] = [:]
    for source in sources {
      for change in source.document.changes(since: live.document.heads)
      where !live.document.contains(change.hash) && hashes.insert(change.hash).inserted {
        sequences[change.actor] = change.sequence
        batch.append(change)
      }
    }
    var own: Set<ChangeHash> = []
    for change in prepared.changes {
      guard own.insert(change.hash).inserted else {
        throw Refusal(ref, .rejected, .duplicateChange, "duplicate change \(change.hash)")
      }
      if live.document.contains(change.hash) || hashes.contains(change.hash) { continue }
      try checkDependencies(of: change, live) { hashes.contains($0) }
      try checkSequence(of: change, live, &sequences)
      hashes.insert(change.hash)
      batch.append(change)
    }
    return batch
  }

  private mutating func checkDependencies(
    of change: Change, _ live: LiveBranch, _ isInBatch: (ChangeHash) -> Bool
  ) throws(Refusal) {
    let ref = live.record.ref
    if change.dependencies.isEmpty, live.record.root == .genesis {
      let genesis = try genesis(of: ref.docID)
      throw Refusal(ref, .rejected, .missingDependency, "missing dep \(genesis.hash)")
    }
    for hash in change.dependencies where !live.document.contains(hash) && !isInBatch(hash) {
      let genesis = try genesis(of: ref.docID)
      if hash == genesis.hash, live.state.sequence == 0 {
        throw Refusal(
          ref, .conflict, .incorrectGenesis, "incorrect genesis",
          heads: Heads(ascending: [genesis.hash]))
      }
      throw Refusal(ref, .rejected, .missingDependency, "missing dep \(hash)")
    }
  }

  private func checkSequence(
    of change: Change, _ live: LiveBranch, _ sequences: inout [ActorID: UInt64]
  ) throws(Refusal) {
    let ref = live.record.ref
    if change.actor.bytes.elementsEqual(ref.docID.utf8) {
      throw Refusal(
        ref, .rejected, .invalidChange, "the author of the genesis writes nothing else")
    }
    let last = sequences[change.actor] ?? live.document.sequence(of: change.actor)
    guard change.sequence == last + 1 else {
      let relation = change.sequence <= last ? "<=" : "> 1 +"
      throw Refusal(
        ref, .rejected, .nonMonotonicSequence,
        "non-monotonic seq for actor \(change.actor): \(change.sequence) \(relation) \(last)")
    }
    sequences[change.actor] = change.sequence
  }

  private func apply(_ batch: [Change], to branch: TouchedBranch) throws(Refusal) {
    guard !batch.isEmpty else { return }
    let live = branch.live
    do throws(AutomergeError) { try live.document.apply(batch) } catch {
      let code: TransactionReceipt.Code
      switch error.reason {
      case .duplicateSequence, .sequenceGap, .forkedActor: code = .nonMonotonicSequence
      case .limitReached: code = .limitReached
      default: code = .invalidChange
      }
      throw Refusal(live.record.ref, .rejected, code, "the change is refused: \(error)")
    }
    note(batch, on: branch)
  }

  private func note(_ changes: [Change], on branch: TouchedBranch) {
    let live = branch.live
    branch.added += changes
    live.state.heads = live.document.heads(genesisCount: live.record.genesisCount)
    live.state.sequence += Int64(changes.count)
    live.byteCountSinceSnapshot += changes.reduce(0) { $0 + $1.bytes.count }
    live.json = nil
  }

  // MARK: Merges

  /// The branches that a write merges, which must stand where the client believes.
  private func sources(
    of write: TransactionRequest.Write, into target: LiveBranch
  ) throws(Refusal) -> [LiveBranch] {
    var sources: [LiveBranch] = []
    for source in write.mergeOf {
      let ref = BranchReference(write.ref.docID, branch: source.branch)
      guard let live = context.branches[ref], live !== target else {
        throw Refusal(
          write.ref, .rejected, .invalidBranch, "there is no other branch \(source.branch)")
      }
      let heads = visibleHeads(of: live)
      guard source.heads == live.state.heads || source.heads == heads else {
        throw Refusal(
          write.ref, .conflict, .staleBaseHeads, "mergeOf heads mismatch of \(source.branch)",
          heads: heads)
      }
      sources.append(live)
    }
    return sources
  }

  /// One empty change upon all heads, if the write asks for it.
  private func mergeHeads(
    _ write: TransactionRequest.Write, _ branch: TouchedBranch
  ) throws(Refusal) {
    let live = branch.live
    guard write.mergesHeads, live.state.heads.count > 1 else { return }
    guard context.settings.enableServerMerge else {
      throw Refusal(
        write.ref, .conflict, .serverMergeDisabled, "cannot server-merge", heads: live.state.heads)
    }
    live.document.actor = context.serverActor(live.record.id)
    do throws(AutomergeError) {
      let change = try live.document.edit(time: context.seconds, evenIfEmpty: true) {
        _ throws(AutomergeError) in
      }
      if let change { note([change], on: branch) }
    } catch {
      throw Refusal(write.ref, .rejected, .limitReached, "the heads cannot be merged: \(error)")
    }
  }

  private mutating func close(_ source: LiveBranch, mergedInto target: TouchedBranch) {
    guard !source.record.isClosed else { return }
    _ = touch(source)
    source.record.isClosed = true
    source.record.closedAt = context.time
    source.record.mergedInto = target.live.record.id
    target.closes.append(source.record.ref.branch)
  }

  // MARK: Invariants

  private mutating func checkInvariants() {
    let branches = context.branches
    for branch in touched where !branch.added.isEmpty {
      for (invariant, memory) in branch.memories where invariant.applies(to: branch.ref) {
        do throws(InvariantFailure) {
          try invariant.check(
            branch.live.document.view, before: memory, &budget,
            other: { branches[BranchReference($0)]?.document.view })
        } catch {
          refuse(branch.ref, invariant, error)
        }
      }
    }
    checkDependents()
  }

  /// A document that must not be older than another may break its rule when the other is written.
  private mutating func checkDependents() {
    let written = Set(
      touched.filter { !$0.added.isEmpty && $0.ref.branch == BranchReference.mainBranch }
        .map(\.ref.docID))
    for invariant in context.invariants {
      guard case .equalOrNewer(_, let other, _) = invariant.rule, written.contains(other),
        case .document(let id) = invariant.scope, !written.contains(id)
      else { continue }
      let branches = context.branches
      guard let live = branches[BranchReference(id)] else { continue }
      do throws(InvariantFailure) {
        try invariant.check(
          live.document.view, before: .nothing, &budget,
          other: { branches[BranchReference($0)]?.document.view })
      } catch {
        refuse(BranchReference(other), invariant, error)
      }
    }
  }

  private mutating func refuse(
    _ ref: BranchReference, _ invariant: Invariant, _ failure: InvariantFailure
  ) {
    var refusal = TransactionReceipt.Result.refusal(
      ref, .rejected, .invariantFailed,
      "invariant/materialize failed: \(invariant.name): \(failure.message)")
    refusal.invariant = invariant.name
    conflicts.append(refusal)
    for index in results.indices where results[index].ref == ref { results[index] = refusal }
  }
}

extension TransactionAttempt.Refusal {
  init(_ result: TransactionReceipt.Result) { self.result = result }
}
