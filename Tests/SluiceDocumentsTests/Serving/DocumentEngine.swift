// An engine with documents in this process, on a directory of its own: channels of it, and raw ones
// that send what no client of ours does.

import Foundation
import SluiceAutomerge
import SluiceClient
import SluiceDocuments
import SluiceServer
import SluiceSystem

@testable import enum SluiceEngine.LocalChannel
@testable import class SluiceEngine.DocumentHub
@testable import class SluiceEngine.EngineOffer
@testable import class SluiceEngine.EngineService
@testable import class SluiceEngine.SigningKey
@testable import SluiceServer

/// Where the engine runs.
enum EnginePlace: String, CaseIterable, Sendable {
  /// Threads of this process at the other ends of the channels.
  case inProcess
  /// A server on a socket, as the engine's process is.
  case onSocket
}

final class DocumentEngine: @unchecked Sendable {
  static let space = "did:key:z6MkTestSpace"

  let directory: URL
  let offer: EngineOffer
  private let socket: String?
  private let lifeline: SharedDescriptor?
  private let thread: JoinableThread?

  init(_ place: EnginePlace = .inProcess, services: EngineOffer.Services = .documents) throws {
    directory = FileManager.default.temporaryDirectory.resolvingSymlinksInPath()
      .appending(path: "sluice-documents-\(UUID().uuidString.prefix(8))")
    try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
    let offer = EngineOffer(
      at: .beneath(directory.path), services: services,
      key: SigningKey(seed: [UInt8](repeating: 7, count: SigningKey.seedByteCount)))
    self.offer = offer
    guard place == .onSocket else {
      (socket, lifeline, thread) = (nil, nil, nil)
      return
    }
    let socket = directory.appending(path: "socket").path
    self.socket = socket
    let pair = try SocketPair()
    lifeline = SharedDescriptor(pair.ours)
    let far = SharedDescriptor(pair.theirs)
    let listening = try listen(onSocket: socket.utf8CString.map { $0 }, permissions: 0o600)
    thread = JoinableThread(
      try Thread("test-engine") {
        do throws(Errno) {
          let server = try Server(
            EngineService(offer), ServerConfiguration(),
            .shared(listening.listener, lifeline: far), metrics: Metrics(),
            socketName: listening.name)
          try server.run()
        } catch {
          fatalError("\(error)")
        }
      })
  }

  deinit {
    lifeline?.descriptor.shutDown()
    thread?.join()
    try? FileManager.default.removeItem(at: directory)
  }

  var file: String { directory.appending(path: "\(Self.space).sqlite").path }

  func session() throws -> RingSession {
    if let socket { return try RingSession.connect(toSocket: socket.utf8CString.map { $0 }) }
    return try LocalChannel.connect(to: offer)
  }

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
