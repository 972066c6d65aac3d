// What a caller in C holds: the address of a block that refers to an object.
//
// Blocks are never given back to the C library. So a handle that was closed is recognised, and
// does no harm unless its block belongs to a younger handle of the same kind by then.

internal import SluiceSystem

/// An object that has a handle.
open class Handled {
  public final let kind: HandleKind
  public init(_ kind: HandleKind) { self.kind = kind }
}

/// Which class an object has: one number for each class of a library. No type of its own, because that
/// would bring its metadata into each library.
public typealias HandleKind = UInt8

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

public enum Handle {
  /// A handle that keeps the object.
  public static func make(_ object: Handled) -> OpaquePointer {
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
  public static func object<T: Handled>(
    _ handle: OpaquePointer?, _ kind: HandleKind, as type: T.Type
  ) -> T? {
    guard let object = unsafe object(handle)?.takeUnretainedValue(), object.kind == kind else {
      return nil
    }
    return unsafe unsafeDowncast(object, to: T.self)
  }

  /// Does something with an object whose handle stays open meanwhile, as the header asks of the
  /// caller. So its references are not counted: they would cost as much as the call.
  @inline(__always)
  public static func with<T: Handled, R>(
    _ handle: OpaquePointer?, _ kind: HandleKind, as type: T.Type, otherwise: R, _ body: (T) -> R
  ) -> R {
    guard let object = unsafe object(handle) else { return otherwise }
    return unsafe object._withUnsafeGuaranteedRef { object in
      guard object.kind == kind else { return otherwise }
      return unsafe body(unsafeDowncast(object, to: T.self))
    }
  }

  @inline(__always)
  private static func object(_ handle: OpaquePointer?) -> Unmanaged<Handled>? {
    guard let handle = unsafe handle else { return nil }
    return unsafe UnsafeMutablePointer<Block>(handle).pointee.object
  }

  /// Lets the object go.
  public static func close(_ handle: OpaquePointer) {
    let block = unsafe UnsafeMutablePointer<Block>(handle)
    let object = unsafe block.pointee.object.take()
    defer { unsafe object?.release() }
    freeBlocks.withLock { free in
      unsafe block.pointee.nextFree = unsafe free.first
      unsafe free.first = unsafe block
    }
  }
}
