// The kinds of handles in sluice.h.

internal import SluiceLibrary

extension HandleKind {
  static var client: HandleKind { 1 }
  static var rows: HandleKind { 2 }
}

extension Handle {
  /// The connection of a handle that is not closed; nil for everything else.
  @inline(__always)
  static func client(_ handle: OpaquePointer?) -> Client? {
    unsafe object(handle, .client, as: Client.self)
  }

  /// Does something with a result. Its handle stays open meanwhile.
  @inline(__always)
  static func withRows<R>(
    _ handle: OpaquePointer?, otherwise: R, _ body: (Rows) -> R
  ) -> R {
    unsafe with(handle, .rows, as: Rows.self, otherwise: otherwise, body)
  }
}
