// What `sluice-bench records` measures of every contender: the same messages, stored and loaded.
//
// A message has one transaction of about 200 bytes of JSON. A value of 1,000 transactions has one kept
// signature, so it is loaded in two messages.

internal import SluiceRecords
internal import SluiceSystem
internal import ToolSupport

enum RecordsWork: String, CaseIterable {
  case storeOne = "store, one value"
  case storeNew = "store, a new value each"
  case storeInTurn = "store, 1,000 values in turn"
  case storeQueued = "store, 1,000 values, queued"
  case loadTen = "load, 10 transactions, as bytes"
  case loadTenParsed = "load, 10 transactions, parsed"
  case loadThousand = "load, 1,000 transactions, as bytes"
  case loadThousandParsed = "load, 1,000 transactions, parsed"

  /// How often it is done in a round.
  var runCount: Int {
    switch self {
    case .storeOne: 4000
    case .storeNew, .storeInTurn, .storeQueued: 2000
    case .loadTen, .loadTenParsed: 1000
    case .loadThousand, .loadThousandParsed: 60
    }
  }

  static let tenCount = 500
  static let thousandCount = 20

  /// The messages of a work that stores, in their order.
  var messages: [RecordMessage] {
    (0..<runCount).map { index in
      switch self {
      case .storeOne:
        RecordsWork.message("One", hasHeader: index == 0, session: 1, after: index)
      case .storeNew:
        RecordsWork.message("Many\(index)", hasHeader: true, session: 2, after: 0)
      case .storeInTurn:
        RecordsWork.message("Many\(index % 1000)", session: 2, after: 1 + index / 1000)
      default:
        RecordsWork.message("Many\(index % 1000)", session: 3, after: index / 1000)
      }
    }
  }

  /// The messages of the values that are loaded.
  static var filling: [RecordMessage] {
    let small = (0..<tenCount).map {
      message("Ten\($0)", hasHeader: true, session: 4, after: 0, count: 10)
    }
    return (0..<thousandCount * 10).reduce(into: small) { messages, index in
      let (value, part) = (index / 10, index % 10)
      messages.append(
        message(
          "Thousand\(value)", hasHeader: part == 0, session: 5, after: part * 100, count: 100))
    }
  }

  /// The value that run `index` of a work loads, and its transactions.
  func loaded(_ index: Int) -> (id: [UInt8], count: Int) {
    switch self {
    case .loadTen, .loadTenParsed:
      (RecordsWork.id("Ten\(index % RecordsWork.tenCount)"), 10)
    default:
      (RecordsWork.id("Thousand\(index % RecordsWork.thousandCount)"), 1000)
    }
  }

  var isParsed: Bool { self == .loadTenParsed || self == .loadThousandParsed }

  // MARK: Parts of messages

  static func id(_ name: String) -> [UInt8] { Array("co_z\(name)".utf8) }

  static func message(
    _ name: String, hasHeader: Bool = false, session: Int, after: Int, count: Int = 1
  ) -> RecordMessage {
    var transactions = RecordTransactions()
    for index in after..<after + count { transactions.append(transaction(index)) }
    let signature = String(after + count)
    let content = RecordSessionContent(
      session: Array("sealer_z\(session)/signer_z\(session)_session_z\(session)".utf8),
      after: UInt64(after), transactions: transactions,
      lastSignature: Array(
        ("signature_z" + String(repeating: "5", count: 80 - signature.count) + signature).utf8))
    return RecordMessage(
      id: id(name), header: hasHeader ? header(name) : nil, sessions: [content])
  }

  private static func header(_ name: String) -> [UInt8] {
    let text = """
      {"type":"comap","ruleset":{"type":"unsafeAllowAll"},"meta":null,\
      "createdAt":"2026-01-02T03:04:05.678Z","uniqueness":"z\(name)"}
      """
    return Array(text.utf8)
  }

  private static func transaction(_ index: Int) -> [UInt8] {
    let value = ("value \(index) " + String(repeating: "lorem ipsum dolor sit amet ", count: 4))
      .prefix(98)
    let text = #"""
      {"privacy":"trusting","madeAt":\#(1_767_323_045_000 + index),\#
      "changes":"[{\"op\":\"set\",\"key\":\"key\#(index % 50)\",\"value\":\"\#(value)\"}]"}
      """#
    return Array(text.utf8)
  }

  /// The length of the string `changes` of such a transaction, as JavaScript counts. A program has
  /// it with its string.
  static func size(ofTransaction text: ArraySlice<UInt8>) -> Int64 {
    // The text around the string has two numbers of a known length; each quote in it has an escape.
    let escapes = text.lazy.filter { $0 == UInt8(ascii: "\\") }.count
    let around = #"{"privacy":"trusting","madeAt":1767323045000,"changes":""}"#.utf8.count
    return Int64(text.count - around - escapes)
  }
}

/// One way to have records kept.
protocol RecordsSide {
  associatedtype Prepared
  /// A message as this side takes it. Not measured.
  func prepare(_ message: RecordMessage) -> Prepared
  /// Stores a message and waits until it is stored.
  mutating func store(_ message: Prepared) throws(ToolError)
  /// Stores messages that are all there at once.
  mutating func storeAll(_ messages: [Prepared]) throws(ToolError)
  /// Loads a value; how many transactions came.
  mutating func load(_ id: [UInt8], parsed: Bool) throws(ToolError) -> Int
}

extension RecordsSide {
  /// Does the works one after the other. Adds how often each was done in a second.
  mutating func measure(
    _ works: [RecordsWork] = RecordsWork.allCases, in report: inout PeerReport
  ) throws(ToolError) {
    try storeAll(RecordsWork.filling.map(prepare))
    for index in 0..<300 {
      try store(prepare(RecordsWork.message("Warm\(index)", hasHeader: true, session: 9, after: 0)))
    }
    for work in works {
      let messages: [Prepared]
      switch work {
      case .storeOne, .storeNew, .storeInTurn, .storeQueued: messages = work.messages.map(prepare)
      default: messages = []
      }
      let start = Clock.monotonicNanoseconds()
      try run(work, messages)
      let nanoseconds = Clock.monotonicNanoseconds() - start
      report.add(work.rawValue, Double(work.runCount) * 1e9 / Double(nanoseconds))
    }
  }

  private mutating func run(_ work: RecordsWork, _ messages: [Prepared]) throws(ToolError) {
    switch work {
    case .storeOne, .storeNew, .storeInTurn:
      for message in messages { try store(message) }
    case .storeQueued: try storeAll(messages)
    case .loadTen, .loadTenParsed, .loadThousand, .loadThousandParsed:
      for index in 0..<work.runCount {
        let (id, count) = work.loaded(index)
        guard try load(id, parsed: work.isParsed) == count else {
          throw .failed("\(work.rawValue): transactions are missing")
        }
      }
    }
  }
}
