// A page of a list, as it is written into a payload until it is full.

internal import SluiceWire

@safe
struct RecordPage {
  private let payload: UnsafeMutableRawBufferPointer
  private let limit: UInt64
  private(set) var itemCount = 0
  private var end = 0

  init(_ payload: UnsafeMutableRawBufferPointer, limit: UInt64 = .max) {
    unsafe self.payload = unsafe payload
    self.limit = limit
  }

  /// Adds an item, with a number behind it if there is one; false if it does not fit.
  mutating func add(_ item: [UInt8], number: UInt64? = nil) -> Bool {
    let byteCount = 4 + item.count + (number == nil ? 0 : 8)
    guard UInt64(itemCount) < limit, unsafe byteCount <= payload.count - end else { return false }
    var writer = RecordByteWriter()
    writer.string(item)
    if let number { writer.number(number) }
    unsafe UnsafeMutableRawBufferPointer(rebasing: payload[end...]).copyBytes(from: writer.bytes)
    end += byteCount
    itemCount += 1
    return true
  }

  /// The answer. A page without room for its first item is none, unless a part of the list may have
  /// no items.
  func answer(
    hasMore: Bool, mayBeEmpty: Bool = false, nextOffset: UInt64 = 0
  ) -> (RecordOutcome, RecordsPageReply) {
    if hasMore, itemCount == 0, limit > 0, !mayBeEmpty {
      return (RecordOutcome(status: .tooLittleRoom), RecordsPageReply())
    }
    return (
      RecordOutcome(byteCount: end),
      RecordsPageReply(itemCount: UInt64(itemCount), hasMore: hasMore, nextOffset: nextOffset)
    )
  }
}
