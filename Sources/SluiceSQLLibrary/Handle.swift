// What a caller in C holds: the address of a block that refers to an object.
//
// Blocks are never given back to the C library. So a handle that was closed is recognised, and
// does no harm unless its block belongs to a younger handle of the same kind by then.

internal import SluiceSystem

/// An object that has a handle.
class Handled {
  final let kind: Kind
  enum Kind { case client, rows }
  init(_ kind: Kind) { self.kind = kind }
}

@safe
private struct Block {
  var object: Handled?
  var nextFree: UnsafeMutablePointer<Block>?
}

@safe
private struct FreeBlocks: @unchecked Sendable {
  var first: UnsafeMutablePointer<Block>?
}

private let freeBlocks = FutexLock(FreeBlocks())

enum Handle {
  /// A handle that keeps the object.
  static func make(_ object: Handled) -> OpaquePointer {
    let block = unsafe freeBlocks.withLock { (free) -> UnsafeMutablePointer<Block> in
      if unsafe free.first == nil { unsafe free.first = more() }
      let block = unsafe free.first!
      unsafe free.first = unsafe block.pointee.nextFree
      return unsafe block
    }
    unsafe block.pointee.object = object
    return OpaquePointer(block)
  }

  private static func more() -> UnsafeMutablePointer<Block> {
    let count = 32
    let blocks = UnsafeMutablePointer<Block>.allocate(capacity: count)
    for index in 0..<count {
      let next = unsafe index + 1 < count ? blocks + index + 1 : nil
      unsafe (blocks + index).initialize(to: Block(object: nil, nextFree: next))
    }
    return unsafe blocks
  }

  /// The object of a handle that is not closed; nil for everything else.
  @inline(__always)
  static func client(_ handle: OpaquePointer?) -> Client? {
    guard let object = unsafe object(handle), object.kind == .client else { return nil }
    return unsafe unsafeDowncast(object, to: Client.self)
  }

  @inline(__always)
  static func rows(_ handle: OpaquePointer?) -> Rows? {
    guard let object = unsafe object(handle), object.kind == .rows else { return nil }
    return unsafe unsafeDowncast(object, to: Rows.self)
  }

  @inline(__always)
  private static func object(_ handle: OpaquePointer?) -> Handled? {
    guard let handle = unsafe handle else { return nil }
    return unsafe UnsafeMutablePointer<Block>(handle).pointee.object
  }

  /// Lets the object go.
  static func close(_ handle: OpaquePointer) {
    let block = unsafe UnsafeMutablePointer<Block>(handle)
    unsafe block.pointee.object = nil
    freeBlocks.withLock { free in
      unsafe block.pointee.nextFree = unsafe free.first
      unsafe free.first = unsafe block
    }
  }
}
