// An engine in another process, through `RecordConnection`, which waits for each answer in the caller's
// thread.

internal import SluiceChannel
internal import SluiceClient
internal import SluiceRecords
internal import SluiceWire
internal import ToolSupport

/// Where an engine is.
enum EnginePlace {
  /// A process of its own, which ends with its client.
  case own
  /// The one that listens on a socket.
  case socket(String)

  func connect() throws(ToolError) -> RingSession {
    do throws(ConnectError) {
      switch self {
      case .own: return try RingSession.startPrivateEngine()
      case .socket(let path):
        return try RingSession.connect(toSocket: path.utf8CString.map { $0 })
      }
    } catch {
      throw .failed("the engine: \(error)")
    }
  }
}

struct SluiceRecordsSide: RecordsSide {
  let connection: RecordConnection
  private let session: RingSession

  init(
    _ path: String, at place: EnginePlace, durability: RecordDurability
  ) throws(ToolError) {
    session = try place.connect()
    var options = RecordOpenOptions()
    options.durability = durability
    options.busyMilliseconds = 60_000
    do throws(RecordFailure) {
      connection = try RecordConnection(session, path: Array(path.utf8), options: options)
    } catch {
      throw .failed("the engine: \(error)")
    }
  }

  func prepare(_ message: RecordMessage) -> RecordStore { RecordStore(message) }

  mutating func store(_ message: RecordStore) throws(ToolError) { try storeAll([message]) }

  mutating func storeAll(_ messages: [RecordStore]) throws(ToolError) {
    let results: [RecordStoreResult]
    do throws(RecordFailure) { results = try connection.store(messages) } catch {
      throw .failed("a store: \(error)")
    }
    guard results.count == messages.count, results.last?.isStored == true else {
      throw .failed("a message was not stored: \(results.last.map { "\($0)" } ?? "")")
    }
  }

  mutating func load(_ id: [UInt8], parsed: Bool) throws(ToolError) -> Int {
    var taken = LoadedTransactions(isParsed: parsed)
    let isFound: Bool
    do throws(RecordFailure) {
      isFound = try connection.load(id) { message in
        if parsed { taken.takeParsed(message) } else { taken.take(message) }
      }
    } catch {
      throw .failed("a load: \(error)")
    }
    guard isFound else { throw .failed("a value is missing") }
    return taken.count
  }

  // MARK: Requests

  /// How many requests `body` makes on the channel.
  func requestCount(of body: () throws(ToolError) -> Void) throws(ToolError) -> UInt32 {
    let before = try requestNumber()
    try body()
    return try requestNumber() &- before &- 1
  }

  /// Makes a request that does nothing; its number on the channel.
  private func requestNumber() throws(ToolError) -> UInt32 {
    do throws(CallError) {
      return try session.withRing { (ring) throws(ChannelFailure) in
        let number = try unsafe ring.submit(.nothing, file: 0, NoFields(), room: 0, fill: { _ in })!
        _ = try session.answer(to: number, in: &ring)
        ring.release(number)
        return number
      }
    } catch {
      throw .failed("the empty call: \(error)")
    }
  }
}
