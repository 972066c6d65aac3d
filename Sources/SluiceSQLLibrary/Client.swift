// A connection as C sees it: the connection of SluiceSQL, a lock, and the last failure.

internal import CSluiceSQL
internal import CSluice
internal import SluiceLibrary
internal import SluiceSQL
internal import SluiceSystem
internal import Synchronization

final class Client: Handled {
  private let lock = FutexLock<Void>(())
  /// Nil if it could not be opened, and after its end.
  private(set) var connection: SQLConnection?
  private let closed = Atomic<Bool>(false)
  /// A result that was closed, for the next one. Makes no new one for each execution.
  private var spare: Rows?
  /// The thread that runs a callback of `sluice_export`; 0 for none.
  private let callbackThread = Atomic<Int32>(0)

  private(set) var errorCode: Int32 = SLUICE_OK
  private(set) var errorOffset: Int64 = -1
  /// Ends with a zero.
  private var message: [UInt8] = [0]

  var changes: Int64 = 0
  var lastInsertedRowID: Int64 = 0

  init() { super.init(.client) }

  // MARK: Its life

  func open(_ connection: SQLConnection) { self.connection = connection }

  func close() {
    lock.withLock { (_) in
      closed.store(true, ordering: .relaxed)
      connection?.end()
      connection = nil
      spare = nil
    }
  }

  @inline(__always)
  var isClosed: Bool { closed.load(ordering: .relaxed) }

  // MARK: Results

  /// A result for an execution. To be called in `call`.
  @inline(__always)
  func rows() -> Rows { spare.take() ?? Rows(self) }

  /// Nobody has the result any more.
  func close(_ rows: Rows) {
    lock.withLock { (_) in
      rows.close()
      if connection != nil, spare == nil, rows.isSmall { spare = rows }
    }
  }

  /// Waits for nobody.
  func cancel() -> Int32 {
    guard let connection else { return SLUICE_MISUSE }
    connection.cancel()
    return SLUICE_OK
  }

  // MARK: Calls

  /// Does something with the connection, alone. Gives its code, or notes its failure.
  @inline(__always)
  func call(_ body: (SQLConnection) throws(CallFailure) -> Int32) -> Int32 {
    // This thread has the lock already.
    if isInCallback { return SLUICE_MISUSE }
    return lock.withLock { (_) in
      guard let connection else { return note(missing) }
      do throws(CallFailure) { return try body(connection) } catch { return note(error) }
    }
  }

  /// Whether the calling thread runs a callback of this connection.
  @inline(__always)
  var isInCallback: Bool {
    let thread = callbackThread.load(ordering: .relaxed)
    return thread != 0 && thread == sluice_thread_id()
  }

  /// Calls a function of the caller, which must not use the connection.
  func withCallback<R>(_ body: () -> R) -> R {
    callbackThread.store(sluice_thread_id(), ordering: .relaxed)
    defer { callbackThread.store(0, ordering: .relaxed) }
    return body()
  }

  private var missing: CallFailure {
    isClosed
      ? .sql(.closed)
      : .own(SLUICE_MISUSE, "the connection has no database, because sluice_open failed")
  }

  // MARK: Failures

  /// Keeps a failure for the caller, and gives its code.
  @discardableResult @inline(never)
  func note(_ failure: CallFailure) -> Int32 {
    errorCode = failure.code == SLUICE_OK ? SLUICE_ERROR : failure.code
    errorOffset = failure.offset
    message = failure.message + [0]
    return errorCode
  }

  /// The last failure's text. The array has its own memory, which stays where it is until the next
  /// failure.
  var messageStart: UnsafePointer<CChar> {
    unsafe message.withUnsafeBufferPointer {
      unsafe UnsafeRawPointer($0.baseAddress!).assumingMemoryBound(to: CChar.self)
    }
  }
}

extension CallFailure {
  @inline(never)
  static func sql(_ failure: SQLFailure) -> CallFailure {
    guard case .sqlite(let code, let message, let offset) = failure else {
      return CallFailure(failure.code, failure.message)
    }
    return CallFailure(code, message, offset: offset)
  }
}
