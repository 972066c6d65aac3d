// A space against a plain model that keeps the document of each branch after each epoch.

import SluiceAutomerge
import TestSupport
import Testing

@testable import SluiceEngine

/// A branch as the model has it.
private struct ModelBranch {
  var document: Document
  /// After each transaction that wrote to the branch.
  var states: [(epoch: Int64, document: Document)] = []
  /// The branch that it leaves, and at which epoch.
  var parent: (name: String, epoch: Int64)?
  var isClosed = false
}

private struct Model {
  var random: SeededRandom
  let fixture: SpaceFixture
  var space: Space
  var branches: [BranchReference: ModelBranch] = [:]
  var epoch: Int64 = 0
  /// Requests that were stored, with their receipts.
  var stored: [(request: TransactionRequest, receipt: TransactionReceipt)] = []
  var refusalCount = 0

  static let docIDs = ["doc:a", "doc:b", "plain:c"]

  init(_ random: SeededRandom, _ fixture: SpaceFixture) throws {
    self.random = random
    self.fixture = fixture
    space = try fixture.space()
    var settings = SpaceSettings()
    settings.enableServerMerge = true
    settings.snapshotCadence = 7
    try space.set(settings)
  }

  private mutating func pick<C: RandomAccessCollection>(_ items: C) -> C.Element {
    items.randomElement(using: &random)!
  }

  private mutating func chance(_ percent: Int) -> Bool {
    Int.random(in: 0..<100, using: &random) < percent
  }

  private func sortedRefs() -> [BranchReference] {
    branches.keys.sorted { $0.description < $1.description }
  }

  // MARK: Steps

  mutating func step() throws {
    switch Int.random(in: 0..<100, using: &random) {
    case 0..<45: try write(documentCount: chance(25) ? 2 : 1)
    case 45..<55: try writeStale()
    case 55..<62: try replay()
    case 62..<68: try writeBad()
    case 68..<76: try createBranch()
    case 76..<84: try merge()
    case 84..<87: if !branches.isEmpty { try space.takeSnapshot(pick(sortedRefs())) }
    case 87..<89: _ = try space.deleteSnapshots()
    case 89..<93: space = try fixture.reopened()
    case 93..<95: try close()
    default: try checkPast()
    }
    space.takeDueSnapshots()
  }

  private func startDocument(_ docID: String) throws -> Document {
    var document = Document(actor: .random())
    if !docID.hasPrefix("plain") { try document.apply(Genesis.change(of: docID)) }
    return document
  }

  /// Edits a document in a way that leaves something to be seen.
  private mutating func edit(_ document: inout Document) throws -> Change {
    document.actor = .random()
    let key = "k\(Int.random(in: 0..<5, using: &random))"
    let number = Int64.random(in: 0..<1000, using: &random)
    let kind = Int.random(in: 0..<4, using: &random)
    let change = try document.edit { edit throws(AutomergeError) in
      switch kind {
      case 0: try edit.set(.text("t\(number)"), forKey: key)
      case 1:
        let list = try edit.make(.list, forKey: key)
        for value in 0..<3 { try edit.append(.int(number + Int64(value)), to: list) }
      case 2:
        let map = try edit.make(.map, forKey: key)
        try edit.set(.int(number), forKey: "n", in: map)
      default: try edit.set(.int(number + 5000), forKey: "top")
      }
      try edit.set(.int(Int64(number * 7)), forKey: "last")
    }
    return try change ?? self.edit(&document)
  }

  /// A write of one to three changes upon the branch's present heads.
  private mutating func makeWrite(
    _ ref: BranchReference
  ) throws -> (write: TransactionRequest.Write, document: Document) {
    var document = try branches[ref]?.document ?? startDocument(ref.docID)
    let base = Heads(document.heads)
    var changes: [Change] = []
    for _ in 0..<Int.random(in: 1...3, using: &random) {
      if chance(30) {
        // A fork within the write.
        var fork = try branches[ref]?.document ?? startDocument(ref.docID)
        let change = try edit(&fork)
        try document.apply(change)
        changes.append(change)
      } else {
        changes.append(try edit(&document))
      }
    }
    return (
      TransactionRequest.Write(ref, base: .heads(base), changes: changes.map(\.bytes)), document
    )
  }

  private mutating func write(documentCount: Int) throws {
    var refs: Set<BranchReference> = []
    for _ in 0..<documentCount {
      refs.insert(
        chance(30) || branches.isEmpty ? BranchReference(pick(Self.docIDs)) : pick(sortedRefs()))
    }
    var request = TransactionRequest(writes: [])
    if chance(50) { request.clientTransactionID = "t\(random.next())" }
    var documents: [BranchReference: Document] = [:]
    let ordered = refs.sorted { $0.description < $1.description }
    for ref in ordered {
      let (write, document) = try makeWrite(ref)
      request.writes.append(write)
      documents[ref] = document
    }
    let receipt = try space.submit(request)
    if ordered.contains(where: { branches[$0]?.isClosed == true }) {
      #expect(receipt.conflicts.contains { $0.code == .branchClosed })
      return
    }
    try #require(receipt.isStored, "\(receipt)")
    stored.append((request, receipt))
    note(receipt, documents)
  }

  private mutating func note(
    _ receipt: TransactionReceipt, _ documents: [BranchReference: Document]
  ) {
    #expect(receipt.transactionID == epoch + 1)
    epoch = receipt.transactionID
    for (ref, document) in documents {
      branches[ref, default: ModelBranch(document: document)].document = document
      branches[ref]?.states.append((epoch, document))
      let genesisCount = ref.docID.hasPrefix("plain") ? 0 : 1
      let result = receipt.results.last { $0.ref == ref }
      #expect(result?.heads == document.heads(genesisCount: genesisCount))
      #expect(result?.sequence == Int64(document.history.count - genesisCount))
    }
  }

  private mutating func writeStale() throws {
    guard !branches.isEmpty else { return }
    let ref = pick(sortedRefs())
    guard let branch = branches[ref], branch.states.count > 1, !branch.isClosed else { return }
    let old = pick(branch.states).document
    guard old.heads != branch.document.heads, !old.heads.isEmpty else { return }
    var fork = old
    let change = try edit(&fork)
    var write = TransactionRequest.Write(
      ref, base: .heads(Heads(old.heads)), changes: [change.bytes])
    #expect(try space.submit(write).code == .staleBaseHeads)
    refusalCount += 1
    write.allowsServerMerge = true
    write.mergesHeads = chance(50)
    let receipt = try space.submit(write)
    try #require(receipt.isStored, "\(receipt)")
    var document = branch.document
    try document.apply(change)
    try learnMerge(&document, ref, write.mergesHeads)
    note(receipt, [ref: document])
  }

  /// The server's merge change, which must be empty and upon all heads.
  private func learnMerge(
    _ document: inout Document, _ ref: BranchReference, _ mergesHeads: Bool
  ) throws {
    guard mergesHeads, document.heads.count > 1 else { return }
    let last = try #require(try space.changes(ref, after: 0).last)
    let merge = try Change(last.bytes)
    #expect(merge.operationCount == 0)
    #expect(merge.dependencies == document.heads)
    try document.apply(merge)
  }

  private mutating func replay() throws {
    guard !stored.isEmpty else { return }
    let (request, receipt) = pick(stored)
    let hasClosed = request.writes.contains { branches[$0.ref]?.isClosed == true }
    let again = try space.submit(request)
    if request.clientTransactionID != nil {
      #expect(again == receipt)
    } else if !hasClosed {
      try #require(again.isStored)
      #expect(again.results.allSatisfy { $0.applied == 0 })
      epoch = again.transactionID
      for write in request.writes {
        let document = branches[write.ref]!.document
        branches[write.ref]?.states.append((epoch, document))
      }
    }
  }

  private mutating func writeBad() throws {
    let ref = BranchReference(pick(Self.docIDs))
    guard branches[ref]?.isClosed != true else { return }
    let (good, _) = try makeWrite(ref)
    let other = BranchReference("doc:bad")
    var document = try startDocument(other.docID)
    let base = Heads(document.heads)
    _ = try edit(&document)
    let lost = try edit(&document)
    let receipt = try space.submit(
      good, .init(other, base: .heads(base), changes: [lost.bytes]))
    #expect(receipt.code == .missingDependency)
    #expect(receipt.transactionID == 0)
    refusalCount += 1
    #expect(try !space.documents().contains(other.docID))
  }

  private mutating func createBranch() throws {
    guard !branches.isEmpty, branches.count < 14 else { return }
    let source = pick(sortedRefs())
    let at = Int64.random(in: 0...epoch, using: &random)
    let ref = BranchReference(source.docID, branch: "b\(branches.count)")
    guard let document = document(source, at: at), !document.heads.isEmpty,
      document.history.count > 1
    else { return }
    let made = try space.createBranch(ref, from: .branch(source.branch, at: .epoch(at)))
    var branch = ModelBranch(document: document)
    branch.parent = (source.branch, at)
    branches[ref] = branch
    #expect(made.heads == Heads(document.heads))
  }

  private mutating func merge() throws {
    let target = branches.isEmpty ? BranchReference("doc:a") : pick(sortedRefs())
    let others = sortedRefs().filter { $0.docID == target.docID && $0 != target }
    guard !others.isEmpty, branches[target]?.isClosed == false else { return }
    let source = pick(others)
    let closes = chance(20)
    let receipt = try space.merge(source.branch, into: target, closingSource: closes)
    try #require(receipt.isStored, "\(receipt)")
    var document = branches[target]!.document
    let own = document.history.count
    // In the order in which the source has them.
    let missing = branches[source]!.document.changes(since: document.heads)
    try document.apply(missing.filter { !document.contains($0.hash) })
    try learnMerge(&document, target, true)
    #expect(receipt.results[0].applied == document.history.count - own)
    note(receipt, [target: document])
    if closes { branches[source]?.isClosed = true }
    if closes, let last = branches[source] {
      branches[source]?.states.append((epoch, last.document))
    }
  }

  private mutating func close() throws {
    guard branches.count > 6 else { return }
    let ref = pick(sortedRefs())
    guard ref.branch != "main" else { return }
    _ = try space.closeBranch(ref)
    branches[ref]?.isClosed = true
  }

  // MARK: Checks

  private func document(_ ref: BranchReference, at epoch: Int64) -> Document? {
    var ref = ref
    var epoch = epoch
    for _ in 0..<100 {
      guard let branch = branches[ref] else { return nil }
      if let state = branch.states.last(where: { $0.epoch <= epoch }) { return state.document }
      guard let parent = branch.parent else { return Document(actor: .random()) }
      epoch = min(epoch, parent.epoch)
      ref = BranchReference(ref.docID, branch: parent.name)
    }
    return nil
  }

  private mutating func checkPast() throws {
    guard !branches.isEmpty else { return }
    let ref = pick(sortedRefs())
    let at = Int64.random(in: 0...epoch, using: &random)
    let expected = try #require(document(ref, at: at))
    let read = try space.json(ref, at: .epoch(at))
    #expect(read.json == expected.view.json())
    if chance(30) {
      let (state, bytes) = try space.bytes(ref, at: .epoch(at))
      let loaded = try Document(loading: bytes)
      #expect(loaded.view.json() == expected.view.json())
      #expect(state.heads == read.state.heads)
    }
  }

  func checkTips() throws {
    for (ref, branch) in branches {
      #expect(try space.tip(ref) == branch.document.view.json(), "\(ref)")
      #expect(try space.branch(ref).isClosed == branch.isClosed)
    }
    #expect(try space.epoch() == epoch)
  }
}

@Suite(.timeLimit(.minutes(3)))
struct SpaceModelTests {
  @Test(arguments: [1 << 30, 200_000])
  func randomTransactionsGiveWhatTheModelGives(liveByteCountMax: Int) throws {
    var random = SeededRandom(for: "randomTransactionsGiveWhatTheModelGives")
    for _ in 0..<4 {
      let fixture = try SpaceFixture()
      fixture.options.liveByteCountMax = liveByteCountMax
      var model = try Model(SeededRandom(seed: random.next()), fixture)
      for number in 1...150 {
        try model.step()
        if number % 50 == 0 { try model.checkTips() }
      }
      #expect(try model.space.verify().findings == [])
      model.space = try fixture.reopened()
      try model.checkTips()
      _ = try model.space.deleteSnapshots()
      model.space = try fixture.reopened()
      try model.checkTips()
      #expect(model.epoch > 20)
    }
  }
}
