// The engine is killed in the middle of transactions of several clients, again and again: every receipt
// that a client was given is there afterwards, each change once, and the space is sound.

import Foundation
import SluiceAutomerge
import SluiceDocuments
import SluiceSystem
import Testing

@Suite(.timeLimit(.minutes(5))) struct DocumentsDeathTests {
  private let fixture: Fixture
  private static let space = "did:key:z6MkDeath"

  init() throws { fixture = try Fixture() }

  private func startEngine() throws -> ChildProcess {
    let engine = try fixture.start([
      Fixture.engineProgram, "--root", fixture.root.path, "--socket", fixture.engineSocket.path,
      "--services", "documents", "--own-files",
    ])
    guard eventually({ engine.output.contains("SQL for") || !engine.isRunning }), engine.isRunning
    else { throw Overdue("the engine did not start: \(engine.errors)") }
    return engine
  }

  private final class Client: Sendable {
    let number: Int
    let socket: String
    /// Receipts by the id of their transactions.
    let receipts = FutexLock<[String: DocumentReceipt]>([:])
    /// The request whose answer did not come.
    let pending = FutexLock<DocumentTransaction?>(nil)
    let isStopped = FutexLock(false)
    let failures = FutexLock<[String]>([])

    init(_ number: Int, socket: String) {
      self.number = number
      self.socket = socket
    }

    var ref: DocumentReference {
      DocumentReference(number % 2 == 0 ? "doc:shared" : "doc:\(number)")
    }

    func connect() throws -> DocumentConnection {
      let deadline = ContinuousClock.now + .seconds(30)
      while true {
        do {
          return try DocumentConnection(
            try RingSession.connect(toSocket: Array(socket.utf8CString)),
            space: DocumentsDeathTests.space, creates: true)
        } catch {
          if ContinuousClock.now > deadline || isStopped.withLock({ $0 }) { throw error }
          usleep(10_000)
        }
      }
    }

    func run() {
      var index = 0
      while !isStopped.withLock({ $0 }) {
        do {
          let connection = try connect()
          // An answer that was lost is asked for again.
          if let request = pending.withLock({ $0 }) { try note(connection, request) }
          while !isStopped.withLock({ $0 }) {
            index += 1
            try edit(connection, index)
          }
        } catch DocumentFailure.call, DocumentFailure.notConnected {
          continue
        } catch {
          if !isStopped.withLock({ $0 }) { failures.withLock { $0.append("\(error)") } }
        }
      }
    }

    private func edit(_ connection: DocumentConnection, _ index: Int) throws {
      var (document, base) = try connection.tip(ref)
      let key = "\(number)-\(index)"
      let change = try document.edit { edit throws(AutomergeError) in
        try edit.set(.int(Int64(index)), forKey: key)
      }
      try note(
        connection,
        DocumentTransaction(
          clientTransactionID: key, client: "client-\(number)",
          writes: [.init(ref, base: base, changes: [change!.bytes])]))
    }

    private func note(_ connection: DocumentConnection, _ request: DocumentTransaction) throws {
      pending.withLock { $0 = request }
      let receipt = try connection.transact(request)
      pending.withLock { $0 = nil }
      if receipt.isStored {
        receipts.withLock { $0[request.clientTransactionID!] = receipt }
      } else if receipt.conflicts.contains(where: { $0.status == .rejected }) {
        failures.withLock { $0.append(receipt.conflicts[0].reason ?? "rejected") }
      }
    }
  }

  @Test func everyReceiptOutlivesTheEngine() throws {
    var engine = try startEngine()
    let clients = (0..<4).map { Client($0, socket: fixture.engineSocket.path) }
    let threads = try clients.map { client in
      JoinableThread(try Thread("test-client") { client.run() })
    }
    for round in 0..<8 {
      usleep(UInt32(150_000 + 37_000 * round))
      try engine.killNow()
      engine = try startEngine()
    }
    usleep(200_000)
    for client in clients { client.isStopped.withLock { $0 = true } }
    for thread in threads { thread.join() }
    let connection = try clients[0].connect()
    var count = 0
    for client in clients {
      client.failures.withLock { #expect($0 == []) }
      let receipts = client.receipts.withLock { $0 }
      #expect(receipts.count > 8)
      count += receipts.count
      for (key, receipt) in receipts {
        let index = try #require(key.split(separator: "-").last)
        #expect(try connection.value(client.ref, path: [key]) == String(index))
        let commits = try connection.log(
          client.ref, before: receipt.transactionID + 1, countMax: 1)
        #expect(commits.first?.epoch == receipt.transactionID)
        #expect(commits.first?.heads == receipt.results[0].heads)
      }
    }
    let verification = try connection.verify()
    #expect(verification.findings == [])
    // What was stored without an answer is at most one transaction of each client and life.
    #expect(verification.transactionCount >= count && verification.transactionCount <= count + 4)
  }
}
