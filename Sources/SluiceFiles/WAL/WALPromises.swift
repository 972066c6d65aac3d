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
  /// Grows when a gathering may end: the futex word of `awaitGroup`.
  private let gatheringsEnded = Atomic<UInt32>(0)
  /// How long the last syncs took.
  private let usualNanoseconds = Atomic<Int64>(0)

  /// To be called after each write to the WAL.
  func wrote(at offset: Int64, byteCount: Int) {
    guard byteCount > 0 else { return }
    syncs.withLock { $0.wrote(offset..<offset + Int64(byteCount)) }
  }

  /// To be called after each change of the WAL's size to this one.
  func changedSize(to byteCount: Int64) { syncs.withLock { $0.wrote(byteCount..<Int64.max) } }

  /// Whether a promise is worth what it costs: to hand the right to write to a sleeping process takes
  /// 100 to 300 µs, so where a sync takes less the writer waits for it and goes on. (Measured on two
  /// processors; a sync of 100 to 200 µs: 2 to 32 writers had 0.5 to 0.7 of their rate with promises.)
  var doPay: Bool { usualNanoseconds.load(ordering: .relaxed) >= 500_000 }

  /// Promises that what was written will be durable. The number is that of the promise.
  func promise(to writer: UInt64) -> UInt64 {
    regroup { syncs in
      let number = syncs.promise(to: writer)
      hasOpen.store(!syncs.isSettled, ordering: .sequentiallyConsistent)
      return number
    }
  }

  /// Changes for whom the next sync waits. If it has nobody left to wait for, it begins.
  private func regroup<R>(_ change: (inout PromisedSyncs<Waiter>) -> R) -> R {
    let (result, endsGathering) = syncs.withLock { syncs in
      let gathered = !syncs.isGroupWhole
      let result = change(&syncs)
      return (result, gathered && syncs.isGroupWhole)
    }
    if endsGathering {
      gatheringsEnded.wrappingAdd(1, ordering: .sequentiallyConsistent)
      unsafe withUnsafePointer(to: gatheringsEnded) { unsafe Futex.wake($0) }
    }
    return result
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

  /// Somebody waits for that promise, or for the next sync.
  func press(_ number: UInt64? = nil) { regroup { $0.press(number ?? $0.nextNumber) } }

  /// Up to where the WAL is durable for certain.
  var durableByteCount: Int64 { syncs.withLock { $0.durableByteCount } }

  /// Up to where anybody may be shown the WAL.
  var shownByteCount: Int64 { syncs.withLock { $0.shownByteCount } }

  var isSettled: Bool { !hasOpen.load(ordering: .sequentiallyConsistent) }

  /// Whether a promise is open that no sync under way will keep.
  var isSyncWanted: Bool { syncs.withLock { $0.isWanted } }

  /// Waits until those have promises that committed lately, for as long as a usual sync takes.
  private func awaitGroup() {
    let end = Clock.monotonicNanoseconds() + usualNanoseconds.load(ordering: .relaxed)
    while true {
      // Before the question: a promise made after it changes the count, and the sleep does not begin.
      let seen = gatheringsEnded.load(ordering: .sequentiallyConsistent)
      let rest = end - Clock.monotonicNanoseconds()
      if rest <= 0 || syncs.withLock({ $0.isGroupWhole }) { return }
      unsafe withUnsafePointer(to: gatheringsEnded) {
        unsafe Futex.wait($0, while: seen, timeoutNanoseconds: rest)
      }
    }
  }

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

  /// `writer` will not commit for a while, because it copies the WAL into the database.
  func leaveGroup(_ writer: UInt64) { regroup { $0.leave(writer) } }

  /// Makes all that was written durable by `body`, after the sync that is under way, unless another
  /// sync that begins meanwhile has done it. A failure breaks the promises that are open, for ever; then
  /// nothing is synced any more. Nor is it after the failure of a sync that `isFinal`: others wait for
  /// the right to write until it ends, so it begins at once. Any other that may wait (`gathers`) gives
  /// those that committed lately time to share it.
  func sync(
    isFinal: Bool = false, gathers: Bool = false, _ body: () throws(Errno) -> Void
  ) throws(Errno) {
    let number = regroup { syncs in
      if isFinal { syncs.press(syncs.nextNumber) }
      return syncs.nextNumber
    }
    try turn.withLock { (_) throws(Errno) in
      if try isDone(number, isFinal: isFinal) { return }
      if gathers { awaitGroup() }
      try begin(isFinal: isFinal)
      var failure: Errno?
      let start = Clock.monotonicNanoseconds()
      do throws(Errno) { try body() } catch { failure = error }
      let nanoseconds = Clock.monotonicNanoseconds() - start
      let usual = usualNanoseconds.load(ordering: .relaxed)
      usualNanoseconds.store(usual + (nanoseconds - usual) / 4, ordering: .relaxed)
      let waiting = syncs.withLock { syncs in
        let waiting = syncs.end(failure, isFinal: isFinal)
        hasOpen.store(!syncs.isSettled, ordering: .sequentiallyConsistent)
        return waiting
      }
      tell(waiting)
      if let failure { throw failure }
    }
  }

  private func isDone(_ number: UInt64, isFinal: Bool) throws(Errno) -> Bool {
    try syncs.withLock { (syncs) throws(Errno) in try syncs.isDone(number, isFinal: isFinal) }
  }

  private func begin(isFinal: Bool) throws(Errno) {
    do throws(Errno) {
      try syncs.withLock { (syncs) throws(Errno) in try syncs.begin(isFinal: isFinal) }
    } catch {
      tell(syncs.withLock { $0.takeWaiting() })
      throw error
    }
  }

  private func tell(_ waiting: [Waiter]) {
    if waiting.isEmpty { return }
    let now = Clock.monotonicNanoseconds()
    for waiter in waiting { waiter.tell(now) }
  }
}
