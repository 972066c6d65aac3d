// The order in which the threads of an engine write to one store. A thread that wants to write adds
// its work. The first becomes the leader: it does all work that is there in one transaction, so
// that all of it shares one commit and one sync. What comes meanwhile is the next leader's.
//
// Threads: any. Only the leader touches the store.

internal import CEngine
internal import SluiceSystem
internal import Synchronization

/// A store whose changes are made in transactions.
protocol TransactionalStore: AnyObject {
  /// Does all changes of `body` or, if it throws, none. They are durable when it returns.
  func atomically<R>(_ body: () throws(DatabaseError) -> R) throws(DatabaseError) -> R
}

final class WriteTurn<Store: TransactionalStore>: Sendable {
  /// What one thread wants done.
  private final class Work: @unchecked Sendable {
    /// Dropped before the word changes: it must not outlive its thread's call.
    var body: ((Store) throws(DatabaseError) -> Void)?
    /// Written by the leader before the word changes.
    var failure: DatabaseError?
    let word = Atomic<UInt32>(Work.waiting)

    static var waiting: UInt32 { 0 }
    static var done: UInt32 { 1 }
    static var leads: UInt32 { 2 }

    init(_ body: @escaping (Store) throws(DatabaseError) -> Void) { self.body = body }

    func change(to state: UInt32) {
      if state == Work.done { body = nil }
      word.store(state, ordering: .releasing)
      unsafe withUnsafePointer(to: word) { unsafe Futex.wake($0) }
    }
  }

  private struct State: @unchecked Sendable {
    var queue: [Work] = []
    /// Whether some thread leads, or has the turn for itself.
    var isLed = false
  }

  private let state = FutexLock(State())
  /// Only the leader's.
  nonisolated(unsafe) private let store: Store

  init(_ store: Store) { unsafe self.store = store }

  /// Does `body` in a transaction, perhaps with that of others. Returns when it is durable.
  ///
  /// - Parameters:
  ///   - body: may be done twice; its last outcome counts.
  ///   - isDue: asked now and then while another has the turn; true gives up with SQLITE_BUSY.
  func perform(
    unless isDue: () -> Bool, _ body: (Store) throws(DatabaseError) -> Void
  ) throws(DatabaseError) {
    let failure: DatabaseError? = withoutActuallyEscaping(body) { body in
      let work = Work(body)
      let leads = state.withLock { state in
        state.queue.append(work)
        defer { state.isLed = true }
        return !state.isLed
      }
      if leads || waitsToLead(work, isDue) { lead() }
      work.body = nil
      return work.failure
    }
    if let failure { throw failure }
  }

  /// Waits until the work is done, or its thread has to lead.
  private func waitsToLead(_ work: Work, _ isDue: () -> Bool) -> Bool {
    while true {
      let word = work.word.load(ordering: .acquiring)
      if word != Work.waiting { return word == Work.leads }
      unsafe withUnsafePointer(to: work.word) {
        unsafe Futex.wait($0, while: Work.waiting, timeoutNanoseconds: 100_000_000)
      }
      guard work.word.load(ordering: .relaxed) == Work.waiting, isDue() else { continue }
      // Unless the leader has taken it.
      let isOut = state.withLock { state in
        guard work.word.load(ordering: .relaxed) == Work.waiting,
          let index = state.queue.firstIndex(where: { $0 === work })
        else { return false }
        state.queue.remove(at: index)
        return true
      }
      guard isOut else { continue }
      work.failure = DatabaseError(
        SQLITE_BUSY, "another client writes for long; nothing was stored, try again")
      return false
    }
  }

  /// Does all work that is there, then passes the lead on.
  private func lead() {
    let works = state.withLock { state in
      defer { state.queue = [] }
      return state.queue
    }
    if !doesTogether(works) {
      for work in works { doesAlone(work) }
    }
    for work in works { work.change(to: Work.done) }
    passOn()
  }

  private func passOn() {
    // Within the lock, so that nobody takes out of the queue who leads already.
    state.withLock { state in
      state.isLed = !state.queue.isEmpty
      state.queue.first?.change(to: Work.leads)
    }
  }

  private func doesTogether(_ works: [Work]) -> Bool {
    do throws(DatabaseError) {
      try unsafe store.atomically { () throws(DatabaseError) in
        for work in works { try unsafe work.body?(store) }
      }
      for work in works { work.failure = nil }
      return true
    } catch {
      works.first?.failure = error
      return works.count == 1
    }
  }

  /// The failure of one must not be that of the others.
  private func doesAlone(_ work: Work) {
    do throws(DatabaseError) {
      try unsafe store.atomically { () throws(DatabaseError) in try unsafe work.body?(store) }
      work.failure = nil
    } catch {
      work.failure = error
    }
  }

  // MARK: A turn for oneself

  /// Takes the turn until `giveBack`, and gives the store.
  func take(unless isDue: () -> Bool) throws(DatabaseError) -> Store {
    let work = Work { (_) throws(DatabaseError) in }
    let leads = state.withLock { state in
      if state.isLed { state.queue.append(work) }
      defer { state.isLed = true }
      return !state.isLed
    }
    if !leads {
      while !waitsToLead(work, isDue) {
        if let failure = work.failure { throw failure }
        // The leader has done it as a work of nothing: once more.
        return try take(unless: isDue)
      }
      state.withLock { state in state.queue.removeAll { $0 === work } }
    }
    return unsafe store
  }

  func giveBack() { passOn() }
}
