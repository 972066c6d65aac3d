// A channel of an engine: its requests of SQL, of records, or of both, given to what serves them.
//
// Confined to one thread at a time.

internal import SluiceChannel
internal import SluiceSystem
internal import SluiceWire

/// What the channels of one engine have in common.
package final class EngineOffer: Sendable {
  package struct Services: OptionSet, Sendable {
    package let rawValue: Int
    package init(rawValue: Int) { self.rawValue = rawValue }

    package static let sql = Services(rawValue: 1)
    package static let records = Services(rawValue: 2)
    package static let all: Services = [.sql, .records]
  }

  let place: DatabasePlace
  let plugins: PluginSet
  let services: Services
  let clock: any RecordClock
  let hubs: RecordHubs

  package init(
    at place: DatabasePlace, services: Services = .all, plugins: PluginSet = .builtIn,
    clock: any RecordClock = SystemClock()
  ) {
    self.place = place
    self.services = services
    self.plugins = plugins
    self.clock = clock
    hubs = RecordHubs(at: place)
  }
}

final class EngineChannel {
  let end: ProxyEnd
  private let offer: EngineOffer
  private let isClientGone: () -> Bool
  private var sql: SQLChannel?
  private var records: RecordChannel?

  init(_ end: ProxyEnd, _ offer: EngineOffer, isClientGone: @escaping () -> Bool) {
    self.end = end
    self.offer = offer
    self.isClientGone = isClientGone
  }

  /// Does a request and answers it.
  @inline(__always)
  func serve(_ request: Request, _ operation: Operation) throws(ProtocolViolation) {
    if let sql, operation.range == .sql { return try sql.serve(request, operation) }
    if let records, operation.range == .records { return try records.serve(request, operation) }
    try serveFirst(request, operation)
  }

  @inline(never)
  private func serveFirst(_ request: Request, _ operation: Operation) throws(ProtocolViolation) {
    switch operation.range {
    case .sql where offer.services.contains(.sql):
      let channel = SQLChannel(
        end, at: offer.place, plugins: offer.plugins, isClientGone: isClientGone)
      sql = channel
      try channel.serve(request, operation)
    case .records where offer.services.contains(.records):
      let channel = RecordChannel(
        end, offer.hubs, offer.clock, isClientGone: isClientGone)
      records = channel
      try channel.serve(request, operation)
    case .sql, .records, .server, .files: end.complete(.unknownOperation)
    }
  }

  func close() {
    sql?.session.close()
    records?.session.close()
  }

  /// What SQL has done since it was last asked; nil if this channel has none.
  func takeCounts() -> StatementCounts? {
    guard let sql else { return nil }
    defer { sql.session.counts = StatementCounts() }
    return sql.session.counts
  }

  /// The same of records.
  func takeRecordCounts() -> RecordCounts? { records?.session.takeCounts() }

  /// When `doWhatIsDue` is wanted (monotonic nanoseconds); nil for never.
  @inline(__always)
  var dueAt: Int64? { records?.session.erasureDueAt.map { $0 * 1_000_000 } }

  func doWhatIsDue() { records?.session.eraseIfDue() }
}
