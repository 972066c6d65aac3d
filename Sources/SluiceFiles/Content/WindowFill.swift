// A stretch that one thread has read from a file, on its way into the file's read window.
//
// The client gets its answer before the stretch goes into the window. A page of the window that is
// used for the first time costs the kernel more than the read (1.8 µs of a read of 5 µs, measured on
// a virtual machine), and the client can work meanwhile. The stretch is kept here and not in the
// client's memory, because the window shows it to other clients too.
//
// Confined to its thread.

internal import SluiceChannel
internal import SluiceSystem

@safe
final class WindowFill {
  /// What to read for a window, as the window was at that moment.
  struct Plan {
    let window: ReadWindow
    let granules: Range<Int>
    /// The stretch that the client wants, which is in these granules and in the file.
    let start: Int
    let byteCount: Int
    /// Of the window: after a change of the file the stretch is worthless.
    let changeCount: Int
  }

  /// Room for the largest transfer wherever it begins in a granule.
  private let room: UnsafeMutableRawBufferPointer
  /// What is here, until it is in the window.
  private(set) var plan: Plan?

  init() {
    let byteCount = ChannelShape.transferByteCountMaximum + WindowRegion.granuleByteCount
    unsafe room = .allocate(byteCount: byteCount, alignment: WindowRegion.granuleByteCount)
  }

  deinit { unsafe room.deallocate() }

  /// Reads the granules of `plan`, and gives the client its part of them.
  func read(
    _ plan: Plan, into buffer: UnsafeMutableRawBufferPointer, from file: borrowing FileDescriptor
  ) throws(Errno) -> Int {
    let size = WindowRegion.granuleByteCount
    let start = plan.granules.lowerBound * size
    let whole = unsafe UnsafeMutableRawBufferPointer(
      rebasing: room[..<(plan.granules.count * size)])
    let count = try unsafe file.read(into: whole, at: Int64(start))
    unsafe UnsafeMutableRawBufferPointer(rebasing: whole[count...])
      .initializeMemory(as: UInt8.self, repeating: 0)
    let from = plan.start - start
    unsafe buffer.copyMemory(
      from: UnsafeRawBufferPointer(rebasing: whole[from..<(from + plan.byteCount)]))
    self.plan = plan
    return plan.byteCount
  }

  /// The plan's granule with this index.
  func granule(_ index: Int) -> UnsafeRawBufferPointer {
    let size = WindowRegion.granuleByteCount
    return unsafe UnsafeRawBufferPointer(rebasing: room[(index * size)..<((index + 1) * size)])
  }

  func clear() { plan = nil }
}
