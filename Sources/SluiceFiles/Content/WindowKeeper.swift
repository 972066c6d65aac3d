// Gives memory of the read windows back when others need it: a thread that looks how much is left, the
// more often the less it is.
//
// There is no thread while the windows hold little. In a control group with a limit that is a few MiB;
// without, the machine's memory alone counts, and 64 MiB are little. In a tight group a sidecar that
// has nothing to do gives all back but a rest, and its keeper sleeps until a window grows again: an
// idle session costs no processor time.
//
// Of windows that are sealed or pinned no memory can be given back as long as a client maps them. The
// keeper retires such a window as a whole: a client maps the next one when it takes its next lock.

internal import SluiceChannel
internal import SluiceServer
internal import SluiceSystem
internal import Synchronization

final class WindowKeeper: Sendable {
  private let budget: WindowBudget
  private let files: FileTable
  private let metrics: Metrics
  /// Below this the windows hold little.
  private let watchedByteCount: Int
  private let wake = WakeWord()
  private let isAsleep = Atomic<Bool>(false)
  private let isStopping = Atomic<Bool>(false)
  private let thread = FutexLock<JoinableThread?>(nil)

  private static let watchedByteCountInGroup = 4_194_304
  private static let watchedByteCountOnMachine = 67_108_864
  /// How fast others may take memory: the time between two looks is what is left by this.
  private static let bytesPerNanosecond: Int64 = 1
  private static let lookNanosecondsMinimum: Int64 = 20_000_000
  private static let lookNanosecondsMaximum: Int64 = 8_000_000_000
  /// A look more often than this is worth something only while clients work.
  private static let idleLookNanoseconds: Int64 = 1_000_000_000
  /// After how long without a request a sidecar has nothing to do.
  private static let idleNanoseconds: Int64 = 10_000_000_000
  /// How many granules are taken out of a window under its lock at a time: a millisecond or so.
  private static let granulesAtOnce = 1024

  /// `hasGroupLimit`: whether the memory of a control group is limited.
  init(_ budget: WindowBudget, files: FileTable, metrics: Metrics, hasGroupLimit: Bool) {
    self.budget = budget
    self.files = files
    self.metrics = metrics
    watchedByteCount =
      hasGroupLimit ? Self.watchedByteCountInGroup : Self.watchedByteCountOnMachine
    budget.isKept(by: self)
  }

  /// The windows may hold more than before. Starts the thread, or wakes it.
  func noteGrowth() {
    guard isWatching else { return }
    if isAsleep.exchange(false, ordering: .sequentiallyConsistent) { wake.signal() }
    thread.withLock { thread in
      guard thread == nil, !isStopping.load(ordering: .relaxed) else { return }
      do throws(Errno) {
        thread = JoinableThread(try Thread("sluice-window") { self.keep() })
      } catch {
        Log.warning("no thread for the read windows' memory: \(error.message)")
      }
    }
  }

  private var isWatching: Bool { budget.byteCountAllowed > watchedByteCount }

  /// Ends the thread and waits for it.
  func stop() {
    isStopping.store(true, ordering: .sequentiallyConsistent)
    wake.signal()
    let last = thread.withLock { thread in
      defer { thread = nil }
      return thread
    }
    last?.join()
  }

  // MARK: The thread

  private func keep() {
    var sleep = ChannelSleep()
    var signals = wake.signals
    var operations = metrics.operationCount
    var workedAt = Clock.monotonicNanoseconds()
    while !isStopping.load(ordering: .sequentiallyConsistent) {
      let now = Clock.monotonicNanoseconds()
      let count = metrics.operationCount
      if count != operations {
        operations = count
        workedAt = now
      }
      let timeout = look(isIdle: now - workedAt >= Self.idleNanoseconds)
      if timeout == nil {
        isAsleep.store(true, ordering: .sequentiallyConsistent)
        // A growth before this was not told.
        if isWatching {
          isAsleep.store(false, ordering: .sequentiallyConsistent)
          continue
        }
      }
      sleep.prepare(wake: wake, signals: signals)
      sleep.sleep(timeoutNanoseconds: timeout)
      signals = wake.signals
    }
  }

  /// Gives back what others need; how long until the next look, nil for none.
  func look(isIdle: Bool) -> Int64? {
    let (excess, left) = budget.excess()
    if excess > 0 { giveBack(byteCount: excess) }
    var nanoseconds = min(
      max(left / Self.bytesPerNanosecond, Self.lookNanosecondsMinimum),
      Self.lookNanosecondsMaximum)
    if isIdle, nanoseconds < Self.idleLookNanoseconds {
      nanoseconds = Self.idleLookNanoseconds
      if !budget.isSealed {
        giveBack(byteCount: max(0, budget.byteCountTaken - WindowBudget.restByteCount))
      }
    }
    // Databases were closed: there is little to look after.
    if isIdle, budget.byteCountTaken <= watchedByteCount { budget.wasLowered() }
    return isWatching ? nanoseconds : nil
  }

  private struct OpenFile {
    weak var file: SharedFile?
  }

  private func giveBack(byteCount: Int) {
    var left = (byteCount + WindowRegion.granuleByteCount - 1) / WindowRegion.granuleByteCount
    var gaveSome = true
    // A file that is closed meanwhile must not stay open, with its lease, because of this.
    let open = files.files(ofDescriptor: nil).map(OpenFile.init)
    // A part of each in turn, as long as there are any.
    while left > 0, gaveSome {
      gaveSome = false
      for one in open where left > 0 {
        guard let file = one.file else { continue }
        let count = file.giveBackWindow(granuleCount: min(left, Self.granulesAtOnce))
        left -= count
        if count > 0 { gaveSome = true }
      }
    }
    budget.wasLowered()
  }
}
