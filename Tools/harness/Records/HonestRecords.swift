// The session that works beside the hostile one of `records hostile`.

internal import SluiceRecords

enum HonestRecords {
  static func work(_ socket: String, _ board: EngineHostileBoard) throws(HarnessError) {
    var options = RecordOpenOptions()
    options.signatureInterval = 2000
    options.busyMilliseconds = 30_000
    let connection = try RecordsSide.open(socket, "honest.records", options)
    var number: UInt64 = 0
    while !board.isOver.load(ordering: .acquiring) {
      let id = "co_zHonest\(number / 40)"
      do {
        let message = KillValue.message(id, number % 40, byteCount: Int(number % 300))
        let results = try connection.store([RecordStore(message)])
        guard results.first?.isStored == true else {
          throw HarnessError.difference("a store: \(results)")
        }
        var value = KillValue()
        let isFound = try connection.load(Array(id.utf8)) { value.take($0) }
        value.end()
        guard isFound, value.flaw == nil, value.messageCount == number % 40 + 1 else {
          throw HarnessError.difference(
            "\(id): \(value.messageCount) messages, not \(number % 40 + 1); \(value.flaw ?? "")")
        }
      } catch let error as HarnessError {
        throw error
      } catch {
        throw .difference("a call: \(error)")
      }
      number += 1
      board.honest.add(1, ordering: .relaxed)
    }
  }
}
