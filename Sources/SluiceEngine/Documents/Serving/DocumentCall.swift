// The calls of a space by the bytes of their requests and answers. What cannot be read is the
// client's violation; what the space refuses is its error.

internal import SluiceDocuments
internal import SluiceWire

enum DocumentCall {
  case transact, read, value, changes
  case documents, branches, branch, createBranch, closeBranch, merge, log
  case contentPut, contentGet
  case settings, invariants, verify, collect

  /// Nil for what is no call of a space.
  init?(_ operation: SluiceWire.Operation) {
    switch operation {
    case .documentsTransact: self = .transact
    case .documentsRead: self = .read
    case .documentsValue: self = .value
    case .documentsChanges: self = .changes
    case .documentsDocuments: self = .documents
    case .documentsBranches: self = .branches
    case .documentsBranch: self = .branch
    case .documentsCreateBranch: self = .createBranch
    case .documentsCloseBranch: self = .closeBranch
    case .documentsMerge: self = .merge
    case .documentsLog: self = .log
    case .documentsContentPut: self = .contentPut
    case .documentsContentGet: self = .contentGet
    case .documentsSettings: self = .settings
    case .documentsInvariants: self = .invariants
    case .documentsVerify: self = .verify
    case .documentsCollect: self = .collect
    default: return nil
    }
  }

  func answer(to body: [UInt8], of space: Space) throws(DocumentCallError) -> [UInt8] {
    switch self {
    case .transact:
      try perform(body) { (request: DocumentTransaction) throws(SpaceError) in
        DocumentReceipt(try space.submit(TransactionRequest(request)))
      }
    case .read:
      try perform(body) { (call: ReadCall) throws(SpaceError) in try space.answer(call) }
    case .value: try valueAnswer(to: body, of: space)
    case .changes:
      try perform(body) { (call: HistoryCall) throws(SpaceError) in
        let changes = try space.changes(
          BranchReference(call.ref), after: call.number, countMax: Int(clamping: call.countMax))
        return ChangesAnswer(changes.map(DocumentChange.init))
      }
    case .log:
      try perform(body) { (call: HistoryCall) throws(SpaceError) in
        let notices = try space.log(
          BranchReference(call.ref), before: call.number, countMax: Int(clamping: call.countMax))
        return LogAnswer(notices.compactMap(DocumentCommit.init))
      }
    case .documents:
      try perform(body) { (_: NoRequest) throws(SpaceError) in TextsAnswer(try space.documents()) }
    case .branches, .branch, .createBranch, .closeBranch, .merge:
      try branchAnswer(to: body, of: space)
    case .contentPut, .contentGet, .settings, .invariants, .verify, .collect:
      try otherAnswer(to: body, of: space)
    }
  }

  private func branchAnswer(
    to body: [UInt8], of space: Space
  ) throws(DocumentCallError) -> [UInt8] {
    switch self {
    case .branches:
      try perform(body) { (call: OptionalText) throws(SpaceError) in
        BranchesAnswer(try space.branches(of: call.text).map(DocumentBranch.init))
      }
    case .branch:
      try perform(body) { (call: BranchCall) throws(SpaceError) in
        DocumentBranch(try space.branch(BranchReference(call.ref)))
      }
    case .createBranch:
      try perform(body) { (call: CreateBranchCall) throws(SpaceError) in
        let origin = call.origin.map { BranchOrigin.branch($0.branch, at: DocumentPoint($0.point)) }
        return DocumentBranch(
          try space.createBranch(BranchReference(call.ref), from: origin ?? .empty))
      }
    case .closeBranch:
      try perform(body) { (call: BranchCall) throws(SpaceError) in
        DocumentBranch(try space.closeBranch(BranchReference(call.ref)))
      }
    default:
      try perform(body) { (call: MergeCall) throws(SpaceError) in
        DocumentReceipt(
          try space.merge(
            call.source, into: BranchReference(call.target), closingSource: call.closesSource))
      }
    }
  }

  private func otherAnswer(
    to body: [UInt8], of space: Space
  ) throws(DocumentCallError) -> [UInt8] {
    switch self {
    case .contentPut:
      try perform(body) { (content: DocumentContent) throws(SpaceError) in
        OneText(try space.put(ContentKind(content.kind), content.bytes, meta: content.meta))
      }
    case .contentGet:
      try perform(body) { (digest: OneText) throws(SpaceError) in
        ContentAnswer(try space.content(digest.text).map(DocumentContent.init))
      }
    case .settings:
      try perform(body) { (settings: OptionalText) throws(SpaceError) in
        if let text = settings.text {
          try space.set(try SpaceSettings(try SpaceValue(parsed: text)))
        }
        return OneText(try space.settings().value.json)
      }
    case .invariants:
      try perform(body) { (invariants: OptionalText) throws(SpaceError) in
        if let text = invariants.text { try space.set(try Invariant.list(parsing: text)) }
        return OneText(SpaceValue.list(try space.invariants().map(\.value)).json)
      }
    case .verify:
      try perform(body) { (_: NoRequest) throws(SpaceError) in
        DocumentVerification(try space.verify())
      }
    default:
      try perform(body) { (_: NoRequest) throws(SpaceError) in
        OneNumber(Int64(try space.deleteSnapshots()))
      }
    }
  }

  /// What `perform` does, with code of its own type: this call is made most often.
  private func valueAnswer(
    to bytes: [UInt8], of space: Space
  ) throws(DocumentCallError) -> [UInt8] {
    let call: ValueCall
    do throws(WireError) { call = try ValueCall(ofBytes: bytes) } catch { throw .wire(error) }
    do throws(SpaceError) { return try space.answer(call).asBytes } catch { throw .space(error) }
  }

  /// Reads a request, does `body`, and writes the answer.
  @inline(__always)
  private func perform<Call: DocumentMessage, Answer: DocumentMessage>(
    _ bytes: [UInt8], _ body: (Call) throws(SpaceError) -> Answer
  ) throws(DocumentCallError) -> [UInt8] {
    let call: Call
    do throws(WireError) { call = try Call(decoding: bytes) } catch { throw .wire(error) }
    do throws(SpaceError) { return try body(call).encoded } catch { throw .space(error) }
  }
}

extension Space {
  fileprivate func answer(_ call: ReadCall) throws(SpaceError) -> ReadAnswer {
    let ref = BranchReference(call.ref)
    let point = DocumentPoint(call.point)
    switch call.form {
    case .json:
      let (state, json) = try json(ref, at: point, paths: call.paths)
      return ReadAnswer(SluiceDocuments.DocumentState(state), Array(json.utf8))
    case .automerge:
      guard call.paths == nil else {
        throw SpaceError(.invalidArgument, "an Automerge file has all of a document, not paths")
      }
      let (state, bytes) = try bytes(ref, at: point)
      return ReadAnswer(SluiceDocuments.DocumentState(state), bytes)
    }
  }

  fileprivate func answer(_ call: ValueCall) throws(SpaceError) -> OptionalText {
    guard call.path.count <= Projection.pathDepthMax else {
      throw SpaceError(.limitReached, "the path is too deep")
    }
    let ref = BranchReference(call.ref)
    if call.point == .tip {
      return OptionalText(try json(ref, at: call.path))
    }
    let copy = try copy(ref)
    let view = try view(of: try state(at: DocumentPoint(call.point), copy), copy)
    return OptionalText(view.value(atKeys: call.path).map { view.json(of: $0) })
  }
}

extension SpaceValue {
  init(parsed text: String) throws(SpaceError) {
    guard let value = SpaceValue(parsing: text) else {
      throw SpaceError(.invalidArgument, "the text is no JSON, is too deep, or has a name twice")
    }
    self = value
  }
}

extension Invariant {
  /// Reads a JSON array of declarations.
  static func list(parsing text: String) throws(SpaceError) -> [Invariant] {
    guard let declarations = try SpaceValue(parsed: text).list else {
      throw SpaceError(.invalidArgument, "invariants are a JSON array")
    }
    var invariants: [Invariant] = []
    for declaration in declarations { invariants.append(try Invariant(declaration)) }
    return invariants
  }
}
