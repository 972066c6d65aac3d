// Where the stores stand: what is under way, what was skipped, and the correction that everything
// waits for. A value without a channel, with the rules of the order:
//
// - Stores are sent in the order of their calls, many in one request, two requests at a time.
// - Behind the first store that is not done, nothing of its request and of the next one was done.
//   Those stores are sent again, in their old order, before any other.
// - While a store is corrected, no other is sent. A correction is not corrected.

internal import SluiceWire

struct StoreLine {
  /// A request under way.
  struct Sent {
    var batch: RecordBatch
    var stores: [QueuedStore]
  }

  /// A store that is corrected.
  struct Correction {
    var store: QueuedStore
    var step: Step

    enum Step {
      /// The known state of the store is wanted; so much of it has come.
      case asking(KnownStateAsk, isUnderWay: Bool)
      /// These messages are stored one after another.
      case storing([RecordMessage], isUnderWay: Bool)
    }
  }

  /// A batch whose bytes are sent before its request.
  struct Staging {
    var batch: RecordBatch
    /// The store; nil for a correction.
    var store: QueuedStore?
    var offset = 0
  }

  private(set) var sent = FIFO<Sent>()
  /// What has to be sent again when nothing is under way, in its order.
  private(set) var skipped: [QueuedStore] = []
  var correction: Correction?
  var staging: Staging?

  private static let sentCountMaximum = 2

  /// Whether the next stores may be sent.
  var isOpen: Bool {
    correction == nil && staging == nil && skipped.isEmpty && sent.count < Self.sentCountMaximum
  }

  /// Whether no store is in progress.
  var isIdle: Bool { correction == nil && staging == nil && sent.isEmpty && skipped.isEmpty }

  mutating func send(_ batch: RecordBatch, _ stores: [QueuedStore]) {
    sent.append(Sent(batch: batch, stores: stores))
  }

  /// The oldest request was answered.
  mutating func takeSent() -> Sent {
    guard let oldest = sent.popFirst() else { preconditionFailure("a store was under way") }
    return oldest
  }

  mutating func skip(_ stores: some Sequence<QueuedStore>) { skipped += stores }

  /// What has to be sent again, if its time has come.
  mutating func takeSkipped() -> [QueuedStore] {
    guard sent.isEmpty else { return [] }
    defer { skipped = [] }
    return skipped
  }

  /// Drops what was skipped.
  mutating func dropSkipped() -> [QueuedStore] {
    defer { skipped = [] }
    return skipped
  }

  /// All stores that were not answered, in their order. Nothing is under way from now on.
  mutating func removeAll() -> [QueuedStore] {
    var all: [QueuedStore] = []
    if let correction { all.append(correction.store) }
    if let store = staging?.store { all.append(store) }
    all += skipped
    while let oldest = sent.popFirst() { all += oldest.stores }
    self = StoreLine()
    return all
  }
}
