// The writes of a connection to one file that were posted and may not be done yet. A read in the
// file's window waits for them only if they overlap what it reads: a write changes no other byte of the
// window. (SQLite reads other pages while those that it has taken out of its cache are written.)

internal import SluiceClient

/// Only the file's connection uses it.
struct PostedWrites {
  /// The last writes, in a ring. No more can be under way in a channel.
  private var starts = InlineArray<32, Int64>(repeating: 0)
  private var ends = InlineArray<32, Int64>(repeating: 0)
  private var count = 0
  /// Whether more may be under way than there is room for here.
  private let isTooWide: Bool

  private static var countMaximum: Int { 32 }

  init(on channel: Channel) { self.init(requestCountMaximum: channel.requestCountMaximum) }

  init(requestCountMaximum: Int) { isTooWide = requestCountMaximum > Self.countMaximum }

  @inline(__always)
  var isEmpty: Bool { count == 0 }

  /// To be called before a write is posted.
  @inline(__always)
  mutating func add(at offset: Int64, byteCount: Int) {
    if count > 0 {
      let last = (count - 1) & (Self.countMaximum - 1)
      // The channel makes one request of writes that follow one another.
      if ends[last] == offset {
        ends[last] = offset + Int64(byteCount)
        return
      }
    }
    let index = count & (Self.countMaximum - 1)
    starts[index] = offset
    ends[index] = offset + Int64(byteCount)
    count += 1
  }

  /// All are done.
  @inline(__always)
  mutating func removeAll() { count = 0 }

  /// Whether one of them may change what is read there.
  @inline(__always)
  func overlap(_ offset: Int64, byteCount: Int) -> Bool {
    if count == 0 { return false }
    if isTooWide { return true }
    let end = offset + Int64(byteCount)
    var index = min(count, Self.countMaximum)
    while index > 0 {
      index -= 1
      if offset < ends[index], end > starts[index] { return true }
    }
    return false
  }
}
