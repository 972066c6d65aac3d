// The calls of a space. `DocumentConnection` says what each does.

public import SluiceAutomerge

/// A state of a document, as JSON.
public struct DocumentReading: Sendable, Hashable {
  public var state: DocumentState
  public var json: String
}

extension Space {
  // MARK: Transactions

  /// Does a transaction. A stored one outlives a loss of power when this returns. A refusal is a
  /// receipt, not a failure.
  public func transact(
    _ transaction: DocumentTransaction
  ) async throws(DocumentFailure) -> DocumentReceipt {
    try await perform { (connection) throws(DocumentFailure) in
      try connection.transact(transaction)
    }
  }

  /// Edits a branch upon its tip, again if others were faster. A document that is not there is made.
  /// Gives the receipt; nil if `body` changed nothing.
  @discardableResult
  public func edit(
    _ ref: DocumentReference, client: String? = nil,
    _ body: @escaping @Sendable (inout Edit) throws(AutomergeError) -> Void
  ) async throws(DocumentFailure) -> DocumentReceipt? {
    try await perform { (connection) throws(DocumentFailure) in
      try connection.edit(ref, client: client, body)
    }
  }

  // MARK: Reading

  /// The JSON of a state, or of what stands at `paths`, each at its place.
  public func read(
    _ ref: DocumentReference, at point: DocumentPoint = .tip, paths: [[String]]? = nil
  ) async throws(DocumentFailure) -> DocumentReading {
    try await perform { (connection) throws(DocumentFailure) in
      let (state, json) = try connection.json(ref, at: point, paths: paths)
      return DocumentReading(state: state, json: json)
    }
  }

  /// The JSON of what stands at the end of a path of keys; nil if the path leads nowhere.
  public func value(
    _ ref: DocumentReference, at point: DocumentPoint = .tip, path: [String]
  ) async throws(DocumentFailure) -> String? {
    try await perform { (connection) throws(DocumentFailure) in
      try connection.value(ref, at: point, path: path)
    }
  }

  /// A state as an Automerge file.
  public func bytes(
    _ ref: DocumentReference, at point: DocumentPoint = .tip
  ) async throws(DocumentFailure) -> [UInt8] {
    try await perform { (connection) throws(DocumentFailure) in
      try connection.bytes(ref, at: point).bytes
    }
  }

  /// The tip as a document with an actor of its own, and the heads by which the space knows it.
  public func tip(
    _ ref: DocumentReference
  ) async throws(DocumentFailure) -> (document: Document, heads: [ChangeHash]) {
    try await perform { (connection) throws(DocumentFailure) in try connection.tip(ref) }
  }

  /// The changes of a branch behind a sequence number, in order, at most `countMax`.
  public func changes(
    _ ref: DocumentReference, after sequence: Int64, countMax: Int64 = .max
  ) async throws(DocumentFailure) -> [DocumentChange] {
    try await perform { (connection) throws(DocumentFailure) in
      try connection.changes(ref, after: sequence, countMax: countMax)
    }
  }

  // MARK: Documents and branches

  /// The ids of all documents, ascending.
  public func documents() async throws(DocumentFailure) -> [String] {
    try await perform { (connection) throws(DocumentFailure) in try connection.documents() }
  }

  /// The branches of a document, or of all, by document and name.
  public func branches(
    of docID: String? = nil
  ) async throws(DocumentFailure) -> [DocumentBranch] {
    try await perform { (connection) throws(DocumentFailure) in
      try connection.branches(of: docID)
    }
  }

  public func branch(_ ref: DocumentReference) async throws(DocumentFailure) -> DocumentBranch {
    try await perform { (connection) throws(DocumentFailure) in try connection.branch(ref) }
  }

  /// Makes a branch that leaves another one of its document. If it is there, nothing happens.
  @discardableResult
  public func createBranch(
    _ ref: DocumentReference, from origin: String, at point: DocumentPoint = .tip
  ) async throws(DocumentFailure) -> DocumentBranch {
    try await perform { (connection) throws(DocumentFailure) in
      try connection.createBranch(ref, from: origin, at: point)
    }
  }

  /// Closes a branch: from now on it is only read.
  @discardableResult
  public func closeBranch(
    _ ref: DocumentReference
  ) async throws(DocumentFailure) -> DocumentBranch {
    try await perform { (connection) throws(DocumentFailure) in try connection.closeBranch(ref) }
  }

  /// Merges one branch of a document into another. It wants the setting `enableServerMerge`.
  public func merge(
    _ branch: String, into target: DocumentReference, closingSource: Bool = true
  ) async throws(DocumentFailure) -> DocumentReceipt {
    try await perform { (connection) throws(DocumentFailure) in
      try connection.merge(branch, into: target, closingSource: closingSource)
    }
  }

  /// What transactions have done to a branch, from the newest on, at most `countMax`.
  public func log(
    _ ref: DocumentReference, before epoch: Int64 = .max, countMax: Int64 = 100
  ) async throws(DocumentFailure) -> [DocumentCommit] {
    try await perform { (connection) throws(DocumentFailure) in
      try connection.log(ref, before: epoch, countMax: countMax)
    }
  }
}
