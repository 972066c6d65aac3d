// The measured processes of `sluice-bench documents`.

internal import SluiceAutomerge
internal import SluiceClient
internal import SluiceCommand
internal import SluiceDocuments
internal import SluiceSystem
internal import ToolSupport

enum DocumentsPeers {
  static let tipRead = "tip"
  static let empty = "empty"
  static let commit = "commit"
  static let past = "past"

  private static let ref = DocumentReference("doc:bench")
  private static let readCount = 20_000
  private static let commitCount = 500
  private static let pastCount = 20
  /// How far back the past is that is read.
  private static let pastChangeCount: Int64 = 10_000

  /// What a process was told.
  private struct Words {
    var socket = ""
    var space = ""
    var client = 0
    var count = 0

    init(_ options: inout Options) throws(ToolError) {
      self = try BenchPeer.parse { () throws(CommandError) in
        var words = Words()
        words.socket = try options.value("--socket") ?? ""
        words.client = try options.number("--client", in: 0...1000, or: 0)
        words.count = try options.number("--count", in: 1...10_000_000, or: 1)
        words.space = options.word() ?? ""
        try options.finish()
        return words
      }
    }

    private init() {}

    func connect() throws(DocumentFailure) -> DocumentConnection {
      let session: RingSession
      do throws(ConnectError) {
        session = try RingSession.connect(toSocket: socket.utf8CString.map { $0 })
      } catch {
        throw .notConnected(error)
      }
      return try DocumentConnection(session, space: space, creates: true)
    }
  }

  private static func asToolError<R>(
    _ body: () throws(DocumentFailure) -> R
  ) throws(ToolError) -> R {
    do throws(DocumentFailure) { return try body() } catch { throw .failed(error.message) }
  }

  // MARK: One client

  /// Fills a document with changes, then reads its tip, commits small changes, and reads its past.
  static func document(_ options: inout Options) throws(ToolError) -> PeerReport {
    let words = try Words(&options)
    let connection = try asToolError { () throws(DocumentFailure) in try words.connect() }
    var document = try fill(connection, words.count)
    // Loaded, and in memory.
    try expectTip(connection)
    BenchPeer.awaitStart()
    var report = PeerReport()
    report.add(
      empty,
      try BenchPeer.repeated(count: readCount) { (_) throws(ToolError) in
        try asToolError { () throws(DocumentFailure) in try connection.roundTrip() }
      })
    report.add(
      tipRead,
      try BenchPeer.repeated(count: readCount) { (_) throws(ToolError) in
        try expectTip(connection)
      })
    var times = Samples(capacity: commitCount)
    for index in 0..<commitCount {
      let base = document.heads
      let change = try edited(&document, words.count + index)
      let transaction = DocumentTransaction(
        writes: [.init(ref, base: base, changes: [change.bytes])])
      let start = Clock.monotonicNanoseconds()
      let receipt = try asToolError { () throws(DocumentFailure) in
        try connection.transact(transaction)
      }
      times.append(Clock.monotonicNanoseconds() - start)
      guard receipt.isStored else { throw .failed("a commit was refused") }
    }
    report.add(commit, times)
    let end = Int64(words.count + commitCount)
    guard end > pastChangeCount else { return report }
    report.add(
      past,
      try BenchPeer.repeated(count: pastCount) { (index) throws(ToolError) in
        let point = DocumentPoint.sequence(end - pastChangeCount - Int64(index))
        _ = try asToolError { () throws(DocumentFailure) in
          try connection.json(ref, at: point)
        }
      })
    return report
  }

  private static func expectTip(_ connection: DocumentConnection) throws(ToolError) {
    let value = try asToolError { () throws(DocumentFailure) in
      try connection.value(ref, path: ["title"])
    }
    guard value == "\"bench\"" else { throw .failed("the tip is \(value ?? "nothing")") }
  }

  /// Sets one of a thousand keys to the number of the edit.
  private static func edited(_ document: inout Document, _ index: Int) throws(ToolError) -> Change {
    do throws(AutomergeError) {
      let change = try document.edit { edit throws(AutomergeError) in
        if index == 0 { try edit.set(.text("bench"), forKey: "title") }
        try edit.set(.int(Int64(index)), forKey: "key-\(index % 1000)")
      }
      if let change { return change }
    } catch {
      throw .failed("\(error)")
    }
    throw .failed("an edit has changed nothing")
  }

  private static func fill(
    _ connection: DocumentConnection, _ count: Int
  ) throws(ToolError) -> Document {
    var (document, base) = try asToolError { () throws(DocumentFailure) in try connection.tip(ref) }
    var changes: [[UInt8]] = []
    for index in 0..<count {
      changes.append(try edited(&document, index).bytes)
      guard changes.count == 5000 || index == count - 1 else { continue }
      let receipt = try asToolError { () throws(DocumentFailure) in
        try connection.transact(
          DocumentTransaction(writes: [.init(ref, base: base, changes: changes)]))
      }
      guard receipt.isStored else { throw .failed("the document could not be filled") }
      base = document.heads
      changes = []
    }
    return document
  }

  // MARK: Several writers

  /// Commits changes of a document of its own, each after the other is durable.
  static func durable(_ options: inout Options) throws(ToolError) -> PeerReport {
    let words = try Words(&options)
    let own = DocumentReference("doc:\(words.client)")
    let connection = try asToolError { () throws(DocumentFailure) in try words.connect() }
    var (document, base) = try asToolError { () throws(DocumentFailure) in try connection.tip(own) }
    var transactions: [DocumentTransaction] = []
    for index in 0..<words.count {
      let change = try edited(&document, index)
      transactions.append(
        DocumentTransaction(writes: [.init(own, base: base, changes: [change.bytes])]))
      base = document.heads
    }
    return try DurableClients.measure { (_) throws(ToolError) in
      for transaction in transactions {
        let receipt = try asToolError { () throws(DocumentFailure) in
          try connection.transact(transaction)
        }
        guard receipt.isStored else { throw .failed("a commit was refused") }
      }
    }
  }
}
