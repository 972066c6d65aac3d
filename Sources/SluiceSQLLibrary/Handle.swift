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
  /// Counted while the handle is open.
  var object: Unmanaged<Handled>?
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
    unsafe block.pointee.object = Unmanaged.passRetained(object)
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
    guard let object = unsafe object(handle)?.takeUnretainedValue(), object.kind == .client else {
      return nil
    }
    return unsafe unsafeDowncast(object, to: Client.self)
  }

  /// Does something with a result. Its handle stays open meanwhile, as sluice.h asks of the caller,
  /// so its references are not counted: they would cost as much as the call.
  @inline(__always)
  static func withRows<R>(
    _ handle: OpaquePointer?, otherwise: R, _ body: (Rows) -> R
  ) -> R {
    guard let object = unsafe object(handle) else { return otherwise }
    return unsafe object._withUnsafeGuaranteedRef { object in
      guard object.kind == .rows else { return otherwise }
      return unsafe body(unsafeDowncast(object, to: Rows.self))
    }
  }

  @inline(__always)
  private static func object(_ handle: OpaquePointer?) -> Unmanaged<Handled>? {
    guard let handle = unsafe handle else { return nil }
    return unsafe UnsafeMutablePointer<Block>(handle).pointee.object
  }

  /// Lets the object go.
  static func close(_ handle: OpaquePointer) {
    let block = unsafe UnsafeMutablePointer<Block>(handle)
    let object = unsafe block.pointee.object.take()
    defer { unsafe object?.release() }
    freeBlocks.withLock { free in
      unsafe block.pointee.nextFree = unsafe free.first
      unsafe free.first = unsafe block
    }
  }
}
