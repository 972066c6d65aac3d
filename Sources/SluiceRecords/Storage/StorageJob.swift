// What a program asks of a storage, on its way to the storage's thread.

internal import SluiceWire

/// A message in the line of stores.
struct QueuedStore: Sendable {
  let message: RecordMessage
  let correction: @Sendable (RecordKnownState) -> [RecordMessage]?
  let done: @Sendable (Bool) -> Void
}

/// A load that was asked for.
struct QueuedLoad: Sendable {
  let id: RecordID
  let message: @Sendable (RecordMessage) -> Void
  let done: @Sendable (Bool) -> Void
}

/// A request for a known state, for all who ask at the same time. Used in the storage's thread.
final class KnownStateAsk {
  let id: RecordID
  var counters: [RecordCounter] = []
  /// Whether all of the answer was read at one time: it was a single page.
  private(set) var isOfOneTime = true
  var askers: [@Sendable (RecordKnownState?) -> Void]

  init(_ id: RecordID, _ asker: @escaping @Sendable (RecordKnownState?) -> Void) {
    self.id = id
    askers = [asker]
  }

  enum Progress {
    case more
    /// The whole state; nil if the value is not in the store.
    case whole(RecordKnownState?)
  }

  /// Takes a page.
  func take(_ answer: RecordAnswer) throws(RecordFailure) -> Progress {
    if answer.status == .notFound { return .whole(nil) }
    guard let page = answer.counters(), !page.isEmpty || !answer.page.hasMore else {
      throw .malformed
    }
    counters += page
    if answer.page.hasMore {
      isOfOneTime = false
      return .more
    }
    return .whole(RecordKnownState(id, hasHeader: true, counters))
  }

  func answer(_ state: RecordKnownState?) { for asker in askers { asker(state) } }
}

enum StorageJob: Sendable {
  case store(QueuedStore)
  case load(QueuedLoad)
  case knownState(RecordID, done: @Sendable (RecordKnownState?) -> Void)
  case call(StorageCall)
}

/// A call that is one request after the other, until all of its answer is there.
enum StorageCall: Sendable {
  /// Nobody waits for it.
  case post(RecordRequest)
  case erase(done: @Sendable (Bool) -> Void)
  case track(ArraySlice<RecordSyncUpdate>, done: @Sendable (Bool) -> Void)
  case unsynced([RecordID], done: @Sendable ([RecordID]?) -> Void)
  case ids(RecordIDList, done: @Sendable ([RecordID]?) -> Void)
  case count(done: @Sendable (UInt64?) -> Void)
  case lock(RecordsLockRequest, done: @Sendable (RecordLockAnswer?) -> Void)
  case close(done: @Sendable () -> Void)

  /// The next request; nil if none is needed.
  mutating func nextRequest() throws(RecordFailure) -> RecordRequest? {
    switch self {
    case .post(let request): return request
    case .erase: return .erase(.all)
    case .track(var rest, let done):
      let request = try RecordRequest.track(&rest)
      self = .track(rest, done: done)
      return request
    case .unsynced(let ids, _): return .unsynced(after: ids.last?.bytes ?? [])
    case .ids(let list, _): return list.request
    case .count: return .count
    case .lock(let request, _): return .lock(request)
    case .close: return .close
    }
  }

  /// Takes an answer. Returns whether a further request is needed.
  mutating func take(_ answer: RecordAnswer) throws(RecordFailure) -> Bool {
    switch self {
    case .track(let rest, _): return !rest.isEmpty
    case .unsynced(var ids, let done):
      guard let page = answer.items() else { throw .malformed }
      if answer.page.hasMore, page.last.map(RecordID.init) == ids.last { throw .malformed }
      ids += page.map { RecordID($0) }
      self = .unsynced(ids, done: done)
      return answer.page.hasMore
    case .ids(var list, let done):
      guard list.take(answer) else { throw .malformed }
      self = .ids(list, done: done)
      return list.request != nil
    case .post, .erase, .count, .lock, .close: return false
    }
  }

  /// Tells the caller, after the last answer.
  func finish(_ answer: RecordAnswer?) {
    switch self {
    case .post: break
    case .erase(let done), .track(_, let done): done(true)
    case .unsynced(let ids, let done): done(ids)
    case .ids(let list, let done): done(list.ids.map { RecordID($0) })
    case .count(let done): done(answer?.number)
    case .lock(_, let done): done(answer.flatMap(RecordLockAnswer.init))
    case .close(let done): done()
    }
  }

  func fail() {
    switch self {
    case .post: break
    case .erase(let done), .track(_, let done): done(false)
    case .unsynced(_, let done), .ids(_, let done): done(nil)
    case .count(let done): done(nil)
    case .lock(_, let done): done(nil)
    case .close(let done): done()
    }
  }
}

extension StorageJob {
  /// Tells the caller that it cannot be done.
  func fail() {
    switch self {
    case .store(let store): store.done(false)
    case .load(let load): load.done(false)
    case .knownState(_, let done): done(nil)
    case .call(let call): call.fail()
    }
  }
}
