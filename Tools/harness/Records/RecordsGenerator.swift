// The random calls of `records model`.

internal import SluiceRecords
internal import ToolSupport

struct RecordsGenerator {
  var random: SplitMix64
  private var signature = 0

  static let valueCount = 24
  private static let sessions = [
    "co_zV0_session_z1", "co_zV1_session_z1", "co_zV5_session_z2", "sealer_z1/signer_z1_session_z1",
    "sealer_z2/signer_z2_session_z9", "co_zV2_session_d1$", "b_session_z1", "a_session_z$",
  ]

  init(seed: UInt64) { random = SplitMix64(seed: seed) }

  mutating func id() -> String { "co_zV\(random.below(Self.valueCount))" }

  mutating func peer() -> String { ["p", "peer\u{0}x", "any", "p2"][random.below(4)] }

  /// A message that may fit the store, or not.
  mutating func message(for store: ModelStore) -> ModelStore.Message {
    let id = id()
    let value = store.values[id]
    var message = ModelStore.Message(id: id)
    if value == nil ? !random.once(in: 6) : random.once(in: 5) {
      message.header = ModelHeader.random(&random) { random in
        "co_zV\(random.below(Self.valueCount))"
      }
    }
    message.deleteIsValid = random.once(in: 3)
    let isGroup = value?.header.isGroup ?? message.header?.isGroup ?? false
    for session in chosenSessions() {
      message.parts.append(part(session, value, isGroup: isGroup))
    }
    spoil(&message)
    return message
  }

  private mutating func chosenSessions() -> [String] {
    var rest = Self.sessions
    return (0..<random.below(4)).map { _ in
      // A delete session is rare, because an erasure may follow.
      let index = random.below(random.once(in: 6) ? rest.count : min(rest.count, 5))
      return rest.remove(at: index)
    }
  }

  private mutating func part(
    _ session: String, _ value: ModelStore.Value?, isGroup: Bool
  ) -> ModelStore.Message.Part {
    let count = value?.count(of: session) ?? 0
    let after =
      switch random.below(12) {
      case 0: count + 1 + random.below(3)
      case 1, 2: random.below(count + 1)
      default: count
      }
    signature += 1
    return ModelStore.Message.Part(
      session: session, after: UInt64(after),
      transactions: (0..<random.below(5)).map { _ in transaction(isGroup: isGroup) },
      signature: Array("signature_z\(signature)".utf8))
  }

  private mutating func transaction(isGroup: Bool) -> ModelTransaction {
    guard isGroup, random.once(in: 2) else { return ModelTransaction.random(&random) }
    let keys = (0..<random.below(4)).map { _ in
      ["\(id())", "parent_\(id())", "child_\(id())", "everyone", "readKey", "key_z1_for_\(id())"][
        random.below(6)]
    }
    return ModelTransaction.setting(keys, &random)
  }

  /// Now and then, what no program sends.
  private mutating func spoil(_ message: inout ModelStore.Message) {
    guard random.once(in: 50) else { return }
    switch random.below(4) {
    case 0: message.id = ""
    case 1: message.id = "co_z\u{0}"
    case 2: message.id = String(repeating: "x", count: 1025)
    default:
      guard let part = message.parts.first else { return }
      if random.once(in: 2) {
        message.parts.append(part)
      } else {
        message.parts[0].after = UInt64(UInt32.max) - UInt64(random.below(2))
        message.parts[0].transactions = [part.transactions, part.transactions].flatMap { $0 }
        guard message.parts[0].transactions.count > 1 else { return }
      }
    }
    message.isRefused = true
  }
}

extension RecordStore {
  init(_ message: ModelStore.Message) {
    self.init(
      RecordMessage(
        id: Array(message.id.utf8), header: message.header?.text,
        sessions: message.parts.map { part in
          var transactions = RecordTransactions()
          for transaction in part.transactions { transactions.append(transaction.text) }
          return RecordSessionContent(
            session: Array(part.session.utf8), after: part.after, transactions: transactions,
            lastSignature: part.signature)
        }), deleteIsValid: message.deleteIsValid)
  }
}

extension RecordStoreResult {
  /// As the model says it.
  var outcome: ModelStore.Outcome {
    switch self {
    case .stored(let counts): .stored(counts)
    case .noHeader: .noHeader
    case .gaps(let counts): .gaps(counts)
    case .refused: .refused
    }
  }
}
