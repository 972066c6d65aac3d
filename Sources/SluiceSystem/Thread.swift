// A thread of the sidecar, with all signals blocked.

internal import CSluice

/// A running thread. It must be joined or detached exactly once.
public struct Thread: ~Copyable, @unchecked Sendable {
  private let handle: pthread_t

  /// Runs `body` on a new thread. `name` has at most 15 bytes.
  public init(_ name: StaticString, _ body: @escaping @Sendable () -> Void) throws(Errno) {
    let box = unsafe Unmanaged.passRetained(Box(body))
    var thread = pthread_t()
    let result = unsafe sluice_thread_start(
      UnsafeRawPointer(name.utf8Start).assumingMemoryBound(to: CChar.self),
      { argument in
        unsafe Unmanaged<Box>.fromOpaque(argument!).takeRetainedValue().body()
        return nil
      }, unsafe box.toOpaque(), &thread)
    if result < 0 {
      unsafe box.release()
      throw Errno(-result)
    }
    handle = thread
  }

  /// Waits for the thread's end.
  public consuming func join() { pthread_join(handle, nil) }

  /// Lets it end by itself.
  public consuming func detach() { pthread_detach(handle) }
}

/// What a thread runs, while it starts.
private final class Box {
  let body: @Sendable () -> Void
  init(_ body: @escaping @Sendable () -> Void) { self.body = body }
}

/// A thread that is kept in a list and joined once.
public final class JoinableThread: @unchecked Sendable {
  private var thread: Thread?

  public init(_ thread: consuming Thread) { self.thread = .some(thread) }

  /// Waits for the thread's end. Later calls return at once. One thread at a time may call this.
  public func join() {
    if let thread = thread.take() { thread.join() }
  }
}

/// The kernel's number for the calling thread.
public func threadID() -> Int32 { sluice_thread_id() }

/// Makes the kernel store FUTEX_OWNER_DIED in `word`, which holds the calling thread's id, when
/// that thread ends, however it ends. Each thread can have one word. Nil takes the request back.
public func announceEndOfThread(in word: UnsafeMutablePointer<UInt32>?) throws(Errno) {
  _ = try unsafe check(sluice_thread_announce_end(word))
}

/// How many processors this process may use at a time: the processors that it may run on, or as
/// many whole ones as its control group's quota allows, and at least one. Read once, at the first
/// use, which must come before the process gives up its right to open files.
public let processorCount: Int = {
  let allowed = max(1, Int(sluice_processor_count()))
  // A single processor counts as one, whatever the quota.
  guard allowed > 1, let limit = ControlGroup.own.processorLimit() else { return allowed }
  return max(1, min(allowed, Int(limit.value / 1000)))
}()

/// The machine's memory in bytes.
public func physicalMemoryByteCount() -> Int {
  Int(sysconf(Int32(_SC_PHYS_PAGES))) * memoryPageByteCount
}
