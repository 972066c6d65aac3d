// A command as a child, for a program that cannot become the command because it has work to do
// when the command has ended, or while it runs. From outside it is as if the program were the
// command:
//
//   front     the program's own process, which its parent knows. It ends and stops as the command
//             does, and passes signals on.
//     └ keeper    does the work (`KeeperDuty`), and may outlive the command and the front
//         └ command
//
// All three are in one process group, so what the terminal or `kill -- -GROUP` sends reaches the
// command without our help. A signal that reaches the front but not the keeper was meant for the
// front alone, that is, for the command: the keeper passes it on. So systemd, which signals each
// process of a control group, and Ctrl-C reach the command once. A signal with a value loses it.
//
// When the command stops, the front stops, so that a shell sees it; when it goes on, so does the
// front. The exception is SIGSTOP to the front alone, which nobody can pass on. The command dies
// with its keeper, and the keeper kills the command when the front has been killed.
//
// The front and the keeper keep none of the command's descriptors but standard error, and that not
// beyond the command's end. So readers see the end of the command's output. A service manager knows
// the front: LISTEN_PID is changed for the command, but a message to NOTIFY_SOCKET comes from another
// process than the main one (NotifyAccess=all).
//
// Threads: the process has one when it splits.

internal import CSluice
internal import CSluiceCommand
package import SluiceSystem

/// What the keeper does beside keeping the command.
package protocol KeeperDuty: AnyObject {
  /// Called in the keeper before it makes the command. What it changes of the process the command
  /// inherits.
  func begin()
  /// Becomes readable when there is work; nil when no more work can come.
  var descriptor: Int32? { get }
  /// Does the work that there is. Never waits for long.
  func work()
  /// The command has ended. What it started may live on. Afterwards the keeper has no standard
  /// error.
  func commandHasEnded()
}

/// How a command ended.
package enum CommandEnding: Equatable, Sendable {
  case exited(Int32)
  case killed(signal: Int32)

  /// The exit code of a process that ends like this. A process that was killed does not return.
  package func adopt() -> Int32 {
    switch self {
    case .exited(let code): return code
    case .killed(let signal): sluice_end_by(signal)
    }
  }
}

package enum CommandProcess {
  /// In which process `split` has returned.
  package enum Part {
    /// The child, which becomes the command.
    case command
    /// The process that called `split`. The command has ended.
    case front(CommandEnding)
  }

  /// Splits this process in front, keeper and command. The keeper ends when the command has ended
  /// and `duty` (nil: none) has no descriptor any more.
  package static func split(_ duty: (any KeeperDuty)?) throws(Errno) -> Part {
    let signals = FileDescriptor(owning: try number(sluice_signals_hold()))
    let front = getpid()
    var ends: [Int32] = [-1, -1]
    let keeper: Int32
    do throws(Errno) {
      _ = try number(unsafe sluice_socket_pair(&ends))
      keeper = try number(sluice_fork())
    } catch {
      sluice_signals_release()
      throw error
    }
    let keeps = keeper == 0
    _ = sluice_close_descriptor(ends[keeps ? 0 : 1])
    let end = FileDescriptor(owning: ends[keeps ? 1 : 0])
    guard keeps else { return .front(awaitEnd(signals: signals, line: end)) }
    duty?.begin()
    let itself = getpid()
    let command = sluice_fork()
    if command == 0 {
      sluice_die_with(itself)
      sluice_signals_release()
      takeOverListening(of: front)
      return .command
    }
    // The front learns by the end of its line that there is no command.
    guard command > 0 else { _exit(1) }
    Keeper(front: front, command: command, signals: signals, line: end, duty: duty).keep()
  }

  /// sd_listen_fds(3): the sockets that a service manager gave to the front are the command's.
  private static func takeOverListening(of front: Int32) {
    guard let process = unsafe environmentValue("LISTEN_PID"),
      unsafe text(of: process) == "\(front)"
    else { return }
    setEnvironmentValue(zeroTerminated("LISTEN_PID"), zeroTerminated("\(getpid())"))
  }

  private static func number(_ result: Int32) throws(Errno) -> Int32 {
    if result < 0 { throw Errno(-result) }
    return result
  }

  /// What the front does until the command has ended.
  private static func awaitEnd(
    signals: borrowing FileDescriptor, line: borrowing FileDescriptor
  ) -> CommandEnding {
    sluice_release_inherited()
    while true {
      _ = awaitInput([signals.rawValue, line.rawValue])
      while let signal = Signal.next(signals) {
        if signal.number == SIGCHLD { sluice_children_reap() } else { line.send(.signal(signal)) }
      }
      switch line.receive() {
      case nil, .signal: break
      case .stopped(let signal): sluice_stop_by(signal)
      case .ended(let ending, let keeperStays):
        if !keeperStays, awaitInput([line.rawValue], milliseconds: 1000)[0] {
          sluice_children_reap()
        }
        return ending
      // The keeper was killed, and the command with it.
      case .lost: return .killed(signal: SIGKILL)
      }
    }
  }
}

/// A signal that a process has got. The sender is 0 for the kernel.
private struct Signal: Equatable {
  var number: Int32
  var sender: Int32

  static func next(_ signals: borrowing FileDescriptor) -> Signal? {
    var signal = Signal(number: 0, sender: 0)
    let count = unsafe sluice_signals_next(signals.rawValue, &signal.number, &signal.sender)
    return count > 0 ? signal : nil
  }
}

/// What front and keeper tell each other: the front signals, the keeper the rest.
private enum LineMessage {
  case signal(Signal)
  case stopped(Int32)
  case ended(CommandEnding, keeperStays: Bool)
  /// The other end is closed.
  case lost

  fileprivate var words: [Int32] {
    switch self {
    case .signal(let signal): [0, signal.number, signal.sender]
    case .stopped(let signal): [1, signal, 0]
    case .ended(.exited(let code), let stays): [2, code, stays ? 1 : 0]
    case .ended(.killed(let signal), let stays): [3, signal, stays ? 1 : 0]
    case .lost: []
    }
  }

  fileprivate init?(words: [Int32]) {
    switch words[0] {
    case 0: self = .signal(Signal(number: words[1], sender: words[2]))
    case 1: self = .stopped(words[1])
    case 2: self = .ended(.exited(words[1]), keeperStays: words[2] != 0)
    case 3: self = .ended(.killed(signal: words[1]), keeperStays: words[2] != 0)
    default: return nil
    }
  }
}

extension FileDescriptor {
  fileprivate borrowing func send(_ message: LineMessage) {
    // If the other end is gone, or takes nothing more, nobody waits for this.
    unsafe message.words.withUnsafeBytes { try? unsafe self.send($0) }
  }

  fileprivate borrowing func receive() -> LineMessage? {
    var words: (Int32, Int32, Int32) = (0, 0, 0)
    do throws(Errno) {
      let byteCount = try unsafe withUnsafeMutableBytes(of: &words) { (room) throws(Errno) -> Int in
        try unsafe self.receive(into: room).byteCount
      }
      return byteCount == 0 ? .lost : LineMessage(words: [words.0, words.1, words.2])
    } catch {
      return error == .again ? nil : .lost
    }
  }
}

/// Waits until one of the descriptors (negative: none) has input, at most for the time (negative:
/// for ever). Tells which have.
private func awaitInput(_ descriptors: [Int32], milliseconds: Int32 = -1) -> [Bool] {
  var entries = descriptors.map { PollEntry($0, input: true, output: false) }
  try? poll(&entries, timeoutMilliseconds: milliseconds)
  return entries.map { $0.hasInput || $0.isBroken }
}

/// The process between front and command. Confined to its only thread.
private final class Keeper {
  private let front: Int32
  private let command: Int32
  private let signals: FileDescriptor
  private let line: FileDescriptor
  private let duty: (any KeeperDuty)?
  private var isStopped = false
  private var hasEnded = false
  private var hasFront = true
  /// The signals that came here lately, with the time.
  private var own: [(signal: Signal, at: Int64)] = []

  init(
    front: Int32, command: Int32, signals: consuming FileDescriptor,
    line: consuming FileDescriptor, duty: (any KeeperDuty)?
  ) {
    self.front = front
    self.command = command
    self.signals = signals
    self.line = line
    self.duty = duty
  }

  func keep() -> Never {
    sluice_release_inherited()
    unsafe sluice_name_process("sluice-keeper")
    while !hasEnded || duty?.descriptor != nil {
      let input = awaitInput([
        signals.rawValue, hasFront ? line.rawValue : -1, duty?.descriptor ?? -1,
      ])
      if input[0] { takeSignals() }
      if input[1], let message = line.receive() { take(message) }
      if input[2] { duty?.work() }
    }
    _exit(0)
  }

  private func takeSignals() {
    var isAboutChildren = false
    while let signal = Signal.next(signals) {
      if signal.number == SIGCHLD {
        isAboutChildren = true
      } else {
        own.append((signal, Clock.monotonicNanoseconds()))
      }
    }
    own.removeFirst(max(0, own.count - 64))
    if isAboutChildren { lookAtCommand() }
  }

  private func lookAtCommand() {
    guard !hasEnded else { return sluice_children_reap() }
    var value: Int32 = 0
    switch unsafe sluice_child_state(command, &value) {
    case Int32(sluice_child_stopped):
      if !isStopped { line.send(.stopped(value)) }
      isStopped = true
    case Int32(sluice_child_exited): end(.exited(value))
    case Int32(sluice_child_killed): end(.killed(signal: value))
    default:
      if isStopped, getppid() == front { kill(front, SIGCONT) }
      isStopped = false
    }
  }

  private func end(_ ending: CommandEnding) {
    hasEnded = true
    sluice_children_reap()
    duty?.commandHasEnded()
    sluice_release_standard_error()
    if let work = duty?.descriptor, awaitInput([work], milliseconds: 0)[0] { duty?.work() }
    line.send(.ended(ending, keeperStays: duty?.descriptor != nil))
    sluice_leave_session()
  }

  private func take(_ message: LineMessage) {
    switch message {
    case .signal(let signal):
      if !hasEnded, signal.sender != getpid(), !cameHereToo(signal) {
        sluice_signal_child(command, signal.number)
      }
    case .lost:
      hasFront = false
      if !hasEnded { sluice_signal_child(command, SIGKILL) }
    case .stopped, .ended: break
    }
  }

  /// Whether the front's signal came to this process as well, within these milliseconds. A signal
  /// to many reaches one after the other.
  private func cameHereToo(_ signal: Signal) -> Bool {
    let now = Clock.monotonicNanoseconds()
    let deadline = now + 50_000_000
    own.removeAll { now - $0.at > 1_000_000_000 }
    while true {
      if let index = own.firstIndex(where: { $0.signal == signal }) {
        own.remove(at: index)
        return true
      }
      let rest = (deadline - Clock.monotonicNanoseconds()) / 1_000_000
      guard rest > 0, !hasEnded else { return hasEnded }
      if awaitInput([signals.rawValue], milliseconds: Int32(rest))[0] { takeSignals() }
    }
  }
}
