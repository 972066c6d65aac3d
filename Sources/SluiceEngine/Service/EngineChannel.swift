// A channel of an engine: its requests of SQL, of records and of documents, given to what serves them.
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
    /// They want a key, too.
    package static let documents = Services(rawValue: 4)
    package static let all: Services = [.sql, .records, .documents]
  }

  let place: DatabasePlace
  let plugins: PluginSet
  let services: Services
  let clock: any RecordClock
  let hubs: RecordHubs
  /// Nil without a key, by which documents' transactions are signed: then there are no documents.
  package let documents: DocumentHub?

  package init(
    at place: DatabasePlace, services: Services = .all, plugins: PluginSet = .builtIn,
    key: SigningKey? = nil, clock: any RecordClock = SystemClock()
  ) {
    self.place = place
    self.services = services
    self.plugins = plugins
    self.clock = clock
    hubs = RecordHubs(at: place)
    var options = SpaceOptions()
    options.clock = clock
    documents = key.map { [options] in DocumentHub(at: place, key: $0, options: options) }
  }
}

final class EngineChannel {
  let end: ProxyEnd
  private let offer: EngineOffer
  private let isClientGone: () -> Bool
  private var sql: SQLChannel?
  private var records: RecordChannel?
  private var documents: DocumentChannel?

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
    if let documents, operation.range == .documents {
      return try documents.serve(request, operation)
    }
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
    case .documents where offer.services.contains(.documents):
      guard let hub = offer.documents else { return end.complete(.unknownOperation) }
      let channel = DocumentChannel(end, hub)
      documents = channel
      try channel.serve(request, operation)
    case .sql, .records, .documents, .server, .files: end.complete(.unknownOperation)
    }
  }

  func close() {
    sql?.session.close()
    records?.session.close()
    documents?.session.close()
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
