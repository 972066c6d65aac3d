// The promised syncs of one WAL, and the turn to sync it. See PromisedSyncs for the rules.
//
// Threads: any.

internal import SluiceServer
internal import SluiceSystem
internal import Synchronization

struct WALPromises: ~Copyable, Sendable {
  private let syncs = FutexLock(PromisedSyncs<Waiter>())
  /// Held during a sync.
  private let turn = FutexLock(())
  /// Whether a thread is about keeping the promises.
  private let isKept = Atomic<Bool>(false)
  /// Whether a promise is open: then reads have to ask.
  private let hasOpen = Atomic<Bool>(false)

  /// To be called after each write to the WAL.
  func wrote(at offset: Int64, byteCount: Int) {
    guard byteCount > 0 else { return }
    syncs.withLock { $0.wrote(offset..<offset + Int64(byteCount)) }
  }

  /// To be called after each change of the WAL's size to this one.
  func changedSize(to byteCount: Int64) { syncs.withLock { $0.wrote(byteCount..<Int64.max) } }

  /// Promises that what was written will be durable. The number is that of the promise.
  func promise() -> UInt64 {
    syncs.withLock { syncs in
      let number = syncs.promise()
      hasOpen.store(!syncs.isSettled, ordering: .sequentiallyConsistent)
      return number
    }
  }

  /// What became of a promise. While it is open, `waiter` is told at the end of the next sync.
  func fate(of number: UInt64, _ waiter: Waiter) -> PromisedSyncs<Waiter>.Fate {
    syncs.withLock { syncs in
      let fate = syncs.fate(of: number)
      if fate == .open { syncs.wait(waiter) }
      return fate
    }
  }

  /// The promise after which a part of the WAL will be durable; nil if it need not be awaited.
  @inline(__always)
  func promiseAwaited(at offset: Int64, byteCount: Int) -> UInt64? {
    guard hasOpen.load(ordering: .sequentiallyConsistent) else { return nil }
    return syncs.withLock { $0.syncAwaited(by: offset..<offset + Int64(byteCount)) }
  }

  /// Up to where the WAL is durable for certain.
  var durableByteCount: Int64 { syncs.withLock { $0.durableByteCount } }

  var isSettled: Bool { !hasOpen.load(ordering: .sequentiallyConsistent) }

  /// Whether a promise is open that no sync under way will keep.
  var isSyncWanted: Bool { syncs.withLock { $0.isWanted } }

  /// Waits for up to `nanoseconds` until those have promises that committed lately.
  func awaitGroup(nanoseconds: Int64) {
    let end = Clock.monotonicNanoseconds() + nanoseconds
    while !syncs.withLock({ $0.isGroupWhole }) {
      let rest = end - Clock.monotonicNanoseconds()
      if rest < Self.shortestSleep { return }
      Clock.sleep(nanoseconds: Self.shortestSleep)
    }
  }

  private static var shortestSleep: Int64 { 50_000 }

  /// True for the thread that is to sync as long as `isSyncWanted`.
  func takeKeeping() -> Bool {
    isSyncWanted
      && isKept.compareExchange(expected: false, desired: true, ordering: .sequentiallyConsistent)
        .exchanged
  }

  /// False if that thread has to go on, because something was promised meanwhile.
  func endKeeping() -> Bool {
    isKept.store(false, ordering: .sequentiallyConsistent)
    return !takeKeeping()
  }

  /// Runs `body`, which makes all that was written durable, after the sync that is under way. A
  /// failure breaks the promises that are open, for ever; then nothing is synced any more.
  func sync(_ body: () throws(Errno) -> Void) throws(Errno) {
    try turn.withLock { (_) throws(Errno) in
      try syncs.withLock { (syncs) throws(Errno) in try syncs.begin() }
      var failure: Errno?
      do throws(Errno) { try body() } catch { failure = error }
      let waiting = syncs.withLock { syncs in
        let waiting = syncs.end(failure)
        hasOpen.store(!syncs.isSettled, ordering: .sequentiallyConsistent)
        return waiting
      }
      let now = Clock.monotonicNanoseconds()
      for waiter in waiting { waiter.tell(now) }
      if let failure { throw failure }
    }
  }
}
