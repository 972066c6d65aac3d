// The calls of a connection. Each is one round trip if request and answer fit into a transfer (64 KiB),
// and blocks until the space has answered.

internal import SluiceWire

extension DocumentConnection {
  /// The room of an answer that may be long, so that it mostly needs one round trip.
  private static let longAnswerByteCount = 64 << 10

  // MARK: Transactions

  /// Does a transaction. A stored one outlives a loss of power when this returns. A refusal is a
  /// receipt, not a failure.
  public func transact(
    _ transaction: DocumentTransaction
  ) throws(DocumentFailure) -> DocumentReceipt {
    try call(.documentsTransact, transaction)
  }

  // MARK: Reading

  /// The JSON of what stands at the end of a path of keys; nil if the path leads nowhere. In a list, a
  /// key is an index.
  public func value(
    _ ref: DocumentReference, at point: DocumentPoint = .tip, path: [String]
  ) throws(DocumentFailure) -> String? {
    try value(ValueCall(ref, point, path))
  }

  /// The JSON of a state. With `paths`, it holds only what stands at these, each at its place; a path
  /// that leads nowhere adds nothing, and arrays on the way to a path become objects.
  public func json(
    _ ref: DocumentReference, at point: DocumentPoint = .tip, paths: [[String]]? = nil
  ) throws(DocumentFailure) -> (state: DocumentState, json: String) {
    let answer = try read(ReadCall(ref, point, .json, paths: paths))
    return (answer.state, String(decoding: answer.content, as: UTF8.self))
  }

  /// An Automerge file of a state. Equal states of one branch are equal bytes.
  public func bytes(
    _ ref: DocumentReference, at point: DocumentPoint = .tip
  ) throws(DocumentFailure) -> (state: DocumentState, bytes: [UInt8]) {
    let answer = try read(ReadCall(ref, point, .automerge))
    return (answer.state, answer.content)
  }

  private func read(_ request: ReadCall) throws(DocumentFailure) -> ReadAnswer {
    try call(.documentsRead, request, room: Self.longAnswerByteCount)
  }

  /// The changes of a branch behind a sequence number, in order, at most `countMax`.
  public func changes(
    _ ref: DocumentReference, after sequence: Int64, countMax: Int64 = .max
  ) throws(DocumentFailure) -> [DocumentChange] {
    try call(
      .documentsChanges, HistoryCall(ref, max(0, sequence), countMax: max(0, countMax)),
      as: ChangesAnswer.self, room: Self.longAnswerByteCount
    ).changes
  }

  // MARK: Documents and branches

  /// The ids of all documents, ascending.
  public func documents() throws(DocumentFailure) -> [String] {
    try call(
      .documentsDocuments, NoRequest(), as: TextsAnswer.self, room: Self.longAnswerByteCount
    ).texts
  }

  /// The branches of a document, or of all, by document and name.
  public func branches(of docID: String? = nil) throws(DocumentFailure) -> [DocumentBranch] {
    try call(
      .documentsBranches, OptionalText(docID), as: BranchesAnswer.self,
      room: Self.longAnswerByteCount
    ).branches
  }

  /// One branch: its heads, and what else is known of it.
  public func branch(_ ref: DocumentReference) throws(DocumentFailure) -> DocumentBranch {
    try call(.documentsBranch, BranchCall(ref))
  }

  /// Makes an empty branch and, if need be, its document. If the branch is there, nothing happens.
  @discardableResult
  public func createBranch(_ ref: DocumentReference) throws(DocumentFailure) -> DocumentBranch {
    try call(.documentsCreateBranch, CreateBranchCall(ref, from: nil))
  }

  /// Makes a branch that leaves another one of its document. If the branch is there, nothing happens.
  /// Nothing is copied: up to where it leaves the other, the changes are the other's.
  @discardableResult
  public func createBranch(
    _ ref: DocumentReference, from origin: String, at point: DocumentPoint = .tip
  ) throws(DocumentFailure) -> DocumentBranch {
    try call(
      .documentsCreateBranch,
      CreateBranchCall(ref, from: CreateBranchCall.Origin(origin, point)))
  }

  /// Closes a branch: from now on it is only read. Closing it again changes nothing.
  @discardableResult
  public func closeBranch(_ ref: DocumentReference) throws(DocumentFailure) -> DocumentBranch {
    try call(.documentsCloseBranch, BranchCall(ref))
  }

  /// Merges one branch of a document into another, by one change of the server's if there are several
  /// heads then. It wants the setting `enableServerMerge`.
  public func merge(
    _ branch: String, into target: DocumentReference, closingSource: Bool = true
  ) throws(DocumentFailure) -> DocumentReceipt {
    try call(.documentsMerge, MergeCall(branch, into: target, closesSource: closingSource))
  }

  /// What transactions have done to a branch, from the newest on, at most `countMax`.
  public func log(
    _ ref: DocumentReference, before epoch: Int64 = .max, countMax: Int64 = 100
  ) throws(DocumentFailure) -> [DocumentCommit] {
    try call(
      .documentsLog, HistoryCall(ref, max(0, epoch), countMax: max(0, countMax)),
      as: LogAnswer.self, room: Self.longAnswerByteCount
    ).commits
  }

  // MARK: Content

  /// Keeps content and gives its digest, in hexadecimal digits. What is there stays as it is.
  public func put(_ content: DocumentContent) throws(DocumentFailure) -> String {
    try call(.documentsContentPut, content, as: OneText.self).text
  }

  /// The content of a digest, proved to be that; nil if there is none.
  public func content(_ digest: String) throws(DocumentFailure) -> DocumentContent? {
    try call(
      .documentsContentGet, OneText(digest), as: ContentAnswer.self,
      room: Self.longAnswerByteCount
    ).content
  }

  // MARK: The space

  /// The settings, a JSON object.
  public func settings() throws(DocumentFailure) -> String {
    try call(.documentsSettings, OptionalText(nil), as: OneText.self).text
  }

  /// Replaces the settings. Members that are missing have their defaults.
  public func set(settings: String) throws(DocumentFailure) {
    _ = try call(.documentsSettings, OptionalText(settings), as: OneText.self)
  }

  /// The invariants, a JSON array of declarations.
  public func invariants() throws(DocumentFailure) -> String {
    try call(.documentsInvariants, OptionalText(nil), as: OneText.self).text
  }

  /// Replaces all invariants. They hold from the next transaction on.
  public func set(invariants: String) throws(DocumentFailure) {
    _ = try call(.documentsInvariants, OptionalText(invariants), as: OneText.self)
  }

  /// Checks the whole space: chain, signatures, heads, snapshots and receipts. Takes time in proportion
  /// to the space.
  public func verify() throws(DocumentFailure) -> DocumentVerification {
    try call(.documentsVerify, NoRequest(), room: Self.longAnswerByteCount)
  }

  /// Deletes all snapshots, which are caches. Gives their number.
  public func collect() throws(DocumentFailure) -> Int64 {
    try call(.documentsCollect, NoRequest(), as: OneNumber.self).number
  }
}
