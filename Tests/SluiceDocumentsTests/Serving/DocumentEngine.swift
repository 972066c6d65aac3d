// An engine with documents in this process, on a directory of its own: channels of it, and raw ones
// that send what no client of ours does.

import EngineTestSupport
import Foundation
import SluiceAutomerge
import SluiceClient
import SluiceDocuments

@testable import class SluiceEngine.DocumentHub
@testable import class SluiceEngine.EngineOffer
@testable import class SluiceEngine.SigningKey

final class DocumentEngine: @unchecked Sendable {
  static let space = "did:key:z6MkTestSpace"

  private let engine: TestEngine

  init(_ place: EnginePlace = .inProcess, services: EngineOffer.Services = .documents) throws {
    engine = try TestEngine("sluice-documents", place) { directory in
      EngineOffer(
        at: .beneath(directory.path), services: services,
        key: SigningKey(seed: [UInt8](repeating: 7, count: SigningKey.seedByteCount)))
    }
  }

  var directory: URL { engine.directory }
  var offer: EngineOffer { engine.offer }

  var file: String { directory.appending(path: "\(Self.space).sqlite").path }

  func session() throws -> RingSession { try engine.session() }

  /// A connection in the caller's thread, to the space, which is made if there is none.
  func connect(_ space: String = space, in directory: String = "") throws -> DocumentConnection {
    try DocumentConnection(try session(), space: space, in: directory, creates: true)
  }

  /// The space for tasks.
  func open() async throws -> Space {
    try await Space.open(Self.space, in: "", creates: true) { () throws(DocumentFailure) in
      do { return try self.session() } catch { throw .closed }
    }
  }
}

let plan = DocumentReference("doc:plan")

extension DocumentConnection {
  /// Sets a number at a key of the root.
  @discardableResult
  func set(
    _ key: String, _ value: Int64, _ ref: DocumentReference = plan
  ) throws(DocumentFailure) -> DocumentReceipt? {
    try edit(ref) { edit throws(AutomergeError) in try edit.set(.int(value), forKey: key) }
  }
}
