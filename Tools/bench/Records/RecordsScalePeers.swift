// The measured processes of `sluice-bench records-scale`.

internal import SluiceCommand
internal import SluiceRecords
internal import SluiceSystem
internal import ToolSupport

enum RecordsScalePeers {
  static let nanoseconds = "nanoseconds"
  static let transactions = "transactions"
  static let memory = "memory"
  static let loads = "loads"
  static let pages = "pages"
  static let opening = "opening"

  /// The socket, the store, and a count.
  private static func words(
    _ options: inout Options
  ) throws(ToolError) -> (socket: String, path: String, count: Int) {
    try BenchPeer.parse { () throws(CommandError) in
      let socket = try options.value("--socket") ?? ""
      let count = try options.number("--count", in: 1...100_000_000, or: 1)
      let path = options.word() ?? ""
      try options.finish()
      return (socket, path, count)
    }
  }

  private static func connect(_ socket: String, _ path: String) throws(ToolError)
    -> SluiceRecordsSide
  {
    try SluiceRecordsSide(path, at: .socket(socket), durability: .normal)
  }

  /// Nanoseconds that `body` takes.
  private static func time(_ body: () throws(ToolError) -> Void) throws(ToolError) -> Double {
    let start = Clock.monotonicNanoseconds()
    try body()
    return Double(Clock.monotonicNanoseconds() - start)
  }

  // MARK: The large value

  private static let largeID = "Large"
  private static let smallCount = 200

  /// A transaction whose changes alone exceed the interval of signatures.
  private static func chunk(_ index: Int) -> RecordMessage {
    var message = RecordsWork.message(
      largeID, hasHeader: index == 0, session: 1, after: index, count: 0)
    var transactions = RecordTransactions()
    let text =
      #"{"privacy":"trusting","madeAt":\#(index),"changes":""#
      + String(repeating: "c", count: 102_450) + #""}"#
    transactions.append(Array(text.utf8))
    message.sessions[0].transactions = transactions
    message.sessions[0].lastSignature = Array("signature_z\(index + 1)".utf8)
    return message
  }

  static func fillLarge(_ options: inout Options) throws(ToolError) -> PeerReport {
    let (socket, path, count) = try words(&options)
    var side = try connect(socket, path)
    BenchPeer.awaitStart()
    try side.storeAll(
      (0..<smallCount).map {
        side.prepare(
          RecordsWork.message("Small\($0)", hasHeader: true, session: 2, after: 0, count: 10))
      })
    var report = PeerReport()
    report.add(
      nanoseconds,
      try time { () throws(ToolError) in
        for index in 0..<count { try side.store(side.prepare(chunk(index))) }
      })
    return report
  }

  /// Loads the large value, once more while less than `count` milliseconds have passed.
  static func loadLarge(_ options: inout Options) throws(ToolError) -> PeerReport {
    let (socket, path, count) = try words(&options)
    let side = try connect(socket, path)
    BenchPeer.awaitStart()
    var report = PeerReport()
    var found = 0
    let times = try BenchPeer.repeated(seconds: Double(count) / 1000) { () throws(ToolError) in
      found = 0
      do throws(RecordFailure) {
        _ = try side.connection.load(RecordsWork.id(largeID)) { message in
          for session in message.sessions { found += session.transactions.count }
        }
      } catch { throw .failed("a load: \(error)") }
    }
    report.add(nanoseconds, Double(times.percentile(0.5)))
    report.add(transactions, Double(found))
    report.add(memory, peakKibibytes(ofProcess: nil) ?? 0)
    return report
  }

  /// Loads small values for `count` milliseconds.
  static func smallLoads(_ options: inout Options) throws(ToolError) -> PeerReport {
    let (socket, path, count) = try words(&options)
    var side = try connect(socket, path)
    BenchPeer.awaitStart()
    var report = PeerReport()
    var index = 0
    report.add(
      loads,
      try BenchPeer.repeated(seconds: Double(count) / 1000) { () throws(ToolError) in
        index += 1
        guard try side.load(RecordsWork.id("Small\(index % smallCount)"), parsed: false) == 10
        else { throw .failed("transactions are missing") }
      })
    return report
  }

  // MARK: Many values

  private static func manyID(_ index: Int) -> String { "Value\(index)" }

  static func fillMany(_ options: inout Options) throws(ToolError) -> PeerReport {
    let (socket, path, count) = try words(&options)
    var side = try connect(socket, path)
    BenchPeer.awaitStart()
    var report = PeerReport()
    report.add(
      nanoseconds,
      try time { () throws(ToolError) in
        for first in stride(from: 0, to: count, by: 10_000) {
          try side.storeAll(
            (first..<min(count, first + 10_000)).map { index in
              var message = RecordsWork.message(
                manyID(index), hasHeader: true, session: 1, after: 0, count: 0)
              message.sessions = []
              return side.prepare(message)
            })
        }
      })
    return report
  }

  /// Opens the store, and reads all ids: each must come once, in order.
  static func list(_ options: inout Options) throws(ToolError) -> PeerReport {
    let (socket, path, count) = try words(&options)
    BenchPeer.awaitStart()
    var report = PeerReport()
    let start = Clock.monotonicNanoseconds()
    let side = try connect(socket, path)
    report.add(opening, Double(Clock.monotonicNanoseconds() - start))
    var next = 0
    do throws(RecordFailure) {
      var samples = Samples()
      while true {
        let start = Clock.monotonicNanoseconds()
        let page = try side.connection.ids(limit: 1000, offset: UInt64(next))
        samples.append(Clock.monotonicNanoseconds() - start)
        for id in page {
          guard id == RecordsWork.id(manyID(next)) else { return try wrong(id, next) }
          next += 1
        }
        if page.count < 1000 { break }
      }
      report.add(pages, samples)
      guard next == count, try side.connection.count() == UInt64(count) else {
        return try wrong([], next)
      }
    } catch { throw .failed("the list of ids: \(error)") }
    return report
  }

  private static func wrong(_ id: [UInt8], _ place: Int) throws(RecordFailure) -> PeerReport {
    printError("id \(place) is '\(String(decoding: id, as: UTF8.self))'")
    throw .malformed
  }
}
