// The measured processes of `sluice-bench records`.

internal import SluiceCommand
internal import SluiceRecords
internal import SluiceSystem
internal import ToolSupport

enum RecordsPeers {
  static let storeRequests = "requests of a store"
  static let loadRequests = "requests of a load with two dependencies"
  static let largeLoadRequests = "requests of a load of 1,000 transactions (226 KB)"
  static let durableStores = "durable stores"

  /// What a process was told: the database, the engine, and what it stores.
  private struct Words {
    var path = ""
    var place = EnginePlace.own
    var client = 0
    var count = 0

    init(_ options: inout Options) throws(ToolError) {
      self = try BenchPeer.parse { () throws(CommandError) in
        var words = Words()
        if let socket = try options.value("--socket") { words.place = .socket(socket) }
        words.client = try options.number("--client", in: 0...1000, or: 0)
        words.count = try options.number("--count", in: 1...1_000_000, or: 1)
        words.path = options.word() ?? ""
        try options.finish()
        return words
      }
    }

    private init() {}
  }

  // MARK: Works

  /// The original's algorithm in the process.
  static func stock(_ options: inout Options) throws(ToolError) -> PeerReport {
    let words = try Words(&options)
    var side = try StockRecordsSide(words.path, durability: .normal)
    return try measure(&side)
  }

  static func connection(_ options: inout Options) throws(ToolError) -> PeerReport {
    let words = try Words(&options)
    var side = try SluiceRecordsSide(words.path, at: words.place, durability: .normal)
    var report = try measure(&side)
    try countRequests(&side, in: &report)
    return report
  }

  static func storage(_ options: inout Options) throws(ToolError) -> PeerReport {
    let words = try Words(&options)
    var side = try StorageRecordsSide(words.path, at: words.place)
    return try measure(&side)
  }

  private static func measure(_ side: inout some RecordsSide) throws(ToolError) -> PeerReport {
    BenchPeer.awaitStart()
    var report = PeerReport()
    try side.measure(in: &report)
    return report
  }

  // MARK: Durable stores

  static func durableStock(_ options: inout Options) throws(ToolError) -> PeerReport {
    let words = try Words(&options)
    var side = try StockRecordsSide(words.path, durability: .full)
    return try storeDurably(&side, words)
  }

  static func durableConnection(_ options: inout Options) throws(ToolError) -> PeerReport {
    let words = try Words(&options)
    var side = try SluiceRecordsSide(words.path, at: words.place, durability: .full)
    return try storeDurably(&side, words)
  }

  /// Stores messages of a value of its own, each after the other is durable.
  private static func storeDurably(
    _ side: inout some RecordsSide, _ words: Words
  ) throws(ToolError) -> PeerReport {
    let name = "Durable\(words.client)"
    let messages = (0..<words.count).map {
      side.prepare(
        RecordsWork.message(name, hasHeader: $0 == 0, session: 10 + words.client, after: $0))
    }
    return try DurableClients.measure { (report) throws(ToolError) in
      let times = try BenchPeer.repeated(count: words.count) { (index) throws(ToolError) in
        try side.store(messages[index])
      }
      report.add(durableStores, times)
    }
  }

  // MARK: Requests

  private static func countRequests(
    _ side: inout SluiceRecordsSide, in report: inout PeerReport
  ) throws(ToolError) {
    let values = DependentValues()
    for message in values.messages {
      try side.store(side.prepare(message))
      // Otherwise a load leaves out what this client has.
      do throws(RecordFailure) { try side.connection.unmount(message.id) } catch {
        throw .failed("unmount: \(error)")
      }
    }
    let further = side.prepare(values.further)
    var counted = side
    report.add(
      storeRequests,
      Double(try side.requestCount { () throws(ToolError) in try counted.store(further) }))
    var messageCount = 0
    let requests = try side.requestCount { () throws(ToolError) in
      do throws(RecordFailure) {
        _ = try counted.connection.load(values.further.id) { _ in messageCount += 1 }
      } catch {
        throw .failed("a load: \(error)")
      }
    }
    guard messageCount == values.messages.count else {
      throw .failed("a load with dependencies gave \(messageCount) messages")
    }
    report.add(loadRequests, Double(requests))
    let (id, _) = RecordsWork.loadThousand.loaded(0)
    report.add(
      largeLoadRequests,
      Double(
        try side.requestCount { () throws(ToolError) in _ = try counted.load(id, parsed: false) }))
  }
}

/// A value that a group owns and an account has written.
private struct DependentValues {
  let messages: [RecordMessage]
  /// A further transaction of the value.
  let further: RecordMessage

  init() {
    func value(_ name: String, _ ruleset: String, meta: String, _ after: Int = 0) -> RecordMessage {
      var message = RecordsWork.message(name, session: 1, after: after)
      message.header = Array(#"{"type":"comap","ruleset":\#(ruleset),"meta":\#(meta)}"#.utf8)
      message.sessions[0].session = Array("co_zOwner_session_z1".utf8)
      return message
    }
    let group = #"{"type":"group","initialAdmin":"co_zOwner"}"#
    let owned = #"{"type":"ownedByGroup","group":"co_zGroup"}"#
    messages = [
      value("Owner", group, meta: #"{"type":"account"}"#), value("Group", group, meta: "null"),
      value("Owned", owned, meta: "null"),
    ]
    var further = value("Owned", owned, meta: "null", 1)
    further.header = nil
    self.further = further
  }
}
