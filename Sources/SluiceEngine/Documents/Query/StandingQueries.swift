// Queries that follow the commits of a space. Each commit gives one event for each query that it
// concerns.
//
// The unit of delivery is the document: a client that holds one needs each of its changes, whatever
// path they are at. So a query is concerned by all changes of its documents. Which paths it touched
// only says what is evaluated again.
//
// A query that met a limit is evaluated from nothing at each change of what it touched. The steps of
// this are bounded for each commit. A query for which too few are left becomes stale: it keeps its
// verdict and its documents until it is caught up with.

struct StandingQueries: Sendable {
  typealias ID = UInt64

  /// What a commit did to a query.
  struct Event: Sendable {
    var query: ID
    var verdict: QueryVerdict
    var verdictChanged: Bool
    var touchAdded: [QueryPlace]
    var touchRemoved: [QueryPlace]
    /// The query's documents that the commit changed, whether they were its documents before or are
    /// now.
    var changedDocuments: [String]
    /// What came to the query's documents, or left them.
    var documentsAdded: [String]
    var documentsRemoved: [String]
    /// Whether verdict, touches and documents are those of an earlier commit. The caller must have it
    /// caught up with before it tells them as the present ones.
    var isStale: Bool
  }

  /// The steps of one commit's evaluations from nothing.
  static let commitStepCountMax = 1 << 23

  private struct Standing {
    var evaluation: QueryEvaluation
    /// Documents of which a place is touched, and the query's own.
    var touched: Set<ExactText>
    /// Those that are delivered along.
    var sources: Set<ExactText>
    /// Whether it has not followed a change that concerns it.
    var isStale = false
  }

  private let space: String?
  private var standing: [ID: Standing] = [:]
  private var queries: [ExactText: Set<ID>] = [:]
  private var lastID: ID = 0

  /// Links to other spaces than this one are not followed.
  init(space: String?) { self.space = space }

  /// Evaluates a query, and lets it follow.
  mutating func add<Documents: QueryDocuments>(
    _ query: DocumentQuery, in documents: Documents, limits: DocumentQuery.Limits = .init()
  ) -> ID {
    let evaluation = QueryEvaluation(query, in: documents, space: space, limits: limits)
    let touched = Set(evaluation.documents.map { ExactText($0) })
    lastID += 1
    standing[lastID] = Standing(
      evaluation: evaluation, touched: touched,
      sources: SourceDocuments.closure(of: evaluation.documents, in: documents, space: space))
    for document in self.documents(of: lastID) { queries[document, default: []].insert(lastID) }
    return lastID
  }

  mutating func remove(_ query: ID) {
    for document in documents(of: query) { unlist(query, document) }
    standing[query] = nil
  }

  func verdict(of query: ID) -> QueryVerdict? { standing[query]?.evaluation.verdict }

  func touches(of query: ID) -> [QueryPlace] { standing[query]?.evaluation.touches ?? [] }

  /// What a client of the query holds: its documents, and those delivered along.
  func deliveredDocuments(of query: ID) -> [String] { documents(of: query).map(\.text) }

  private func documents(of query: ID) -> Set<ExactText> {
    guard let standing = standing[query] else { return [] }
    return standing.touched.union(standing.sources)
  }

  private mutating func unlist(_ query: ID, _ document: ExactText) {
    queries[document]?.remove(query)
    if queries[document]?.isEmpty == true { queries[document] = nil }
  }

  // MARK: Commits

  /// Takes over what a commit has changed. Gives the events in the order of the queries.
  mutating func onDelta<Documents: QueryDocuments>(
    _ deltas: [DocumentDelta], in documents: Documents, stepCountMax: Int = commitStepCountMax
  ) -> [Event] {
    var concerned = Set<ID>()
    for delta in deltas { concerned.formUnion(queries[ExactText(delta.document)] ?? []) }
    var meter = StepMeter(stepCountMax)
    return concerned.sorted().map { update($0, deltas, documents, &meter) }
  }

  /// The queries that have not followed all changes.
  var staleQueries: [ID] { standing.filter(\.value.isStale).map(\.key).sorted() }

  /// Evaluates a stale query. Nil if it is not stale. Costs up to the steps of an evaluation.
  mutating func catchUp<Documents: QueryDocuments>(
    with query: ID, in documents: Documents
  ) -> Event? {
    guard standing[query]?.isStale == true else { return nil }
    var meter = StepMeter(.max)
    return update(query, [], documents, &meter)
  }

  private mutating func update<Documents: QueryDocuments>(
    _ query: ID, _ deltas: [DocumentDelta], _ documents: Documents, _ meter: inout StepMeter
  ) -> Event {
    var standing = standing.removeValue(forKey: query)!
    let oldSources = standing.sources
    let wasStale = standing.isStale
    if standing.evaluation.isTruncated, !standing.isStale {
      standing.isStale = standing.evaluation.isConcerned(by: deltas)
    }
    var change: QueryEvaluation.Change?
    if !standing.isStale {
      change = standing.evaluation.update(deltas, in: documents)
    } else if meter.take(standing.evaluation.table.stepCount) {
      change = standing.evaluation.updateFromNothing(in: documents)
      standing.isStale = false
    }
    var added: Set<ExactText> = []
    var removed: Set<ExactText> = []
    for place in change?.touchAdded ?? [] where place.path.isEmpty {
      added.insert(ExactText(place.document))
    }
    for place in change?.touchRemoved ?? [] where place.path.isEmpty {
      removed.insert(ExactText(place.document))
    }
    let oldTouched = standing.touched
    standing.touched.subtract(removed)
    standing.touched.formUnion(added)
    let isSourceConcerned = deltas.contains { delta in
      let document = ExactText(delta.document)
      guard standing.touched.contains(document) || oldSources.contains(document) else {
        return false
      }
      return (delta.changed + delta.removed).contains {
        SourceDocuments.isConcerned(byChangeAt: $0)
      }
    }
    if isSourceConcerned || wasStale || !added.isEmpty || !removed.isEmpty {
      standing.sources = SourceDocuments.closure(
        of: standing.touched.map(\.text), in: documents, space: space)
      removed.formUnion(oldSources.subtracting(standing.sources))
      added.formUnion(standing.sources.subtracting(oldSources))
      // From the one to the other is no change.
      removed.subtract(standing.touched.union(standing.sources))
      added.subtract(oldTouched.union(oldSources))
    }
    self.standing[query] = standing
    for document in removed { unlist(query, document) }
    for document in added { queries[document, default: []].insert(query) }
    let isChanged = { (delta: DocumentDelta) in
      let document = ExactText(delta.document)
      return standing.touched.contains(document) || standing.sources.contains(document)
        || oldTouched.contains(document) || oldSources.contains(document)
    }
    return Event(
      query: query, verdict: standing.evaluation.verdict,
      verdictChanged: change.map { $0.oldVerdict != $0.newVerdict } ?? false,
      touchAdded: change?.touchAdded ?? [], touchRemoved: change?.touchRemoved ?? [],
      changedDocuments: deltas.filter(isChanged).map(\.document),
      documentsAdded: added.map(\.text), documentsRemoved: removed.map(\.text),
      isStale: standing.isStale)
  }
}
