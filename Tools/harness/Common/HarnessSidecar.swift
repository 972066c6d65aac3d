// The sidecar that a run tries: one that the user names by its socket, or one that the harness
// starts over a directory of its own and removes afterwards.
//
//   DIR/root      what the sidecar serves
//   DIR/socket    where it listens
//   DIR/log       what it says
//
// A sidecar that the harness starts is a child of this process. So the harness sees its end, and
// the signal that ended it.

internal import CSluice
@unsafe @preconcurrency internal import Glibc
internal import SluiceCommand
internal import SluiceSystem
internal import ToolSupport

/// Confined to one thread, except for `socket`.
final class HarnessSidecar {
  let socket: String
  private let directory: TemporaryDirectory?
  private var words: [String]
  private let log: SharedDescriptor?
  /// Both ends. The sidecar that was started has a copy of the second, and ends when the first is
  /// closed.
  private let lifeline: (ours: SharedDescriptor, theirs: SharedDescriptor)?
  private let fileByteCountMaximum: Int?
  /// 0 where the user named the sidecar, or where it has ended.
  private(set) var process: Int32 = 0
  private var ending: String?
  private var hasEndedWell = false

  /// Uses the sidecar that listens on `socket`. Throws if none does.
  init(socket: String) throws(HarnessError) {
    do throws(Errno) {
      _ = try unsafe FileDescriptor.connect(toSocket: zeroTerminated(socket))
    } catch .again {
      // It listens, and is busy with other greetings.
    } catch {
      throw .system(socket, error)
    }
    self.socket = socket
    directory = nil
    words = []
    log = nil
    lifeline = nil
    fileByteCountMaximum = nil
  }

  /// Starts a sidecar in a new directory below `parent`. None of its files grows beyond
  /// `fileByteCountMaximum`, because a hostile client would fill the disk.
  init(
    startedBelow parent: String, options: [String] = [], fileByteCountMaximum: Int? = nil
  ) throws(HarnessError) {
    self.fileByteCountMaximum = fileByteCountMaximum
    // First: a sidecar that is missing must leave no directory behind.
    let program: String
    do throws(InstallationError) {
      program = try Installation.sidecar(beside: Installation.program())
    } catch {
      throw .failed(error.text)
    }
    do throws(ToolError) {
      let made = try TemporaryDirectory(in: parent, owner: "sluice-harness")
      directory = made
      socket = made.path + "/socket"
      let root = try made.makeSubdirectory("root")
      words =
        [
          program, "serve", "--root", root, "--socket", socket, "--quiet", "--lifeline",
        ] + options
      do throws(Errno) {
        log = SharedDescriptor(
          try unsafe FileDescriptor.open(
            zeroTerminated(made.path + "/log"),
            [.readWrite, .create, OpenFlags(rawValue: UInt64(O_APPEND))], permissions: 0o600))
        let pair = try SocketPair()
        let theirs = pair.theirs
        lifeline = (SharedDescriptor(pair.ours), SharedDescriptor(theirs))
      } catch {
        throw ToolError.system(made.path, error)
      }
    } catch {
      switch error {
      case .failed(let text), .unopenable(let text): throw .failed(text)
      case .interrupted: throw .interrupted
      }
    }
    do throws(HarnessError) { try start() } catch {
      stop()
      throw error
    }
  }

  /// Where the files of the harness's own sidecar are; nil for the user's sidecar.
  var path: String? { directory?.path }
  /// The directory that our own sidecar serves.
  var root: String? { path.map { $0 + "/root" } }

  private func start() throws(HarnessError) {
    // The sidecar inherits the limit; this process then restores its own.
    var before = rlimit()
    _ = unsafe getrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &before)
    var limit = before
    if let fileByteCountMaximum { limit.rlim_cur = rlim_t(fileByteCountMaximum) }
    _ = unsafe setrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit)
    defer { _ = unsafe setrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &before) }
    do throws(Errno) {
      process = try spawn(
        words,
        descriptors: [
          (log!.descriptor.rawValue, 1), (log!.descriptor.rawValue, 2),
          (lifeline!.theirs.descriptor.rawValue, 3),
        ])
    } catch {
      throw .system(words[0], error)
    }
    for _ in 0..<10_000 {
      if (try? unsafe FileDescriptor.connect(toSocket: zeroTerminated(socket))) != nil { return }
      if let ending = howItEnded() { throw .failed("the sidecar did not start: \(ending)") }
      Clock.sleep(nanoseconds: 1_000_000)
    }
    throw .failed("the sidecar did not start within 10 s")
  }

  /// How the sidecar ended, and the last line of its log. Nil while it runs, and for the user's
  /// sidecar.
  func howItEnded() -> String? {
    guard process > 0 else { return ending }
    var status: Int32 = 0
    guard unsafe waitpid(process, &status, WNOHANG) == process else { return nil }
    process = 0
    let how =
      status & 0x7f == 0 ? "exit code \(status >> 8)" : "killed by signal \(status & 0x7f)"
    hasEndedWell = status == 0
    ending = how + (lastWords().map { "; " + $0 } ?? "")
    return ending
  }

  /// Starts our own sidecar again if it has ended; false if that fails.
  func revive() -> Bool {
    guard directory != nil else { return true }
    if howItEnded() == nil { return true }
    ending = nil
    return (try? start()) != nil
  }

  // MARK: Kills and pauses

  /// Starts our own sidecar again after it was killed, on the same root and socket. It gets
  /// `options` besides those that every sidecar gets.
  func start(options: [String]) throws(HarnessError) {
    precondition(process == 0 && !words.isEmpty, "a sidecar of ours that was killed")
    words = words[..<8] + options
    ending = nil
    try start()
  }

  /// Kills our own sidecar and waits until nothing of it is left.
  func killNow() {
    guard process > 0 else { return }
    kill(process, SIGKILL)
    _ = waitpid(process, nil, 0)
    process = 0
    ending = "killed by the harness"
  }

  /// Stops all threads of our own sidecar. It does nothing until `resume`.
  func pause() throws(HarnessError) {
    kill(process, SIGSTOP)
    let tasks = "/proc/\(process)/task"
    for _ in 0..<10_000 {
      let threads = (try? unsafe namesInDirectory(zeroTerminated(tasks))) ?? []
      let isStopped = threads.allSatisfy { name in
        // The state follows the name, which is in parentheses.
        let text = textOfFile("\(tasks)/\(String(decoding: name, as: UTF8.self))/stat")
        return text?.split(separator: ")").last?.hasPrefix(" T") ?? false
      }
      if !threads.isEmpty, isStopped { return }
      Clock.sleep(nanoseconds: 100_000)
    }
    throw .failed("the sidecar could not be stopped")
  }

  func resume() { if process > 0 { kill(process, SIGCONT) } }

  private func lastWords() -> String? {
    guard let path, let text = textOfFile(path + "/log") else { return nil }
    return text.split(separator: "\n").last { !$0.contains("broke the protocol") }
      .map(String.init)
  }

  /// The log matters only when the sidecar ends, and hostile clients make it long.
  func shortenLog() {
    guard let log = log?.descriptor.rawValue, lseek(log, 0, SEEK_END) > 1 << 20 else { return }
    _ = ftruncate(log, 0)
  }

  /// Ends our own sidecar and removes its files. Returns how it ended, if not well.
  @discardableResult
  func stop(keepingFiles: Bool = false) -> String? {
    defer { if !keepingFiles { directory?.remove() } }
    if let ending = howItEnded() { return ending }
    guard process > 0 else { return nil }
    lifeline?.ours.descriptor.shutDown()
    for _ in 0..<1000 {
      if let ending = howItEnded() { return hasEndedWell ? nil : ending }
      Clock.sleep(nanoseconds: 10_000_000)
    }
    kill(process, SIGKILL)
    _ = waitpid(process, nil, 0)
    return "did not end within 10 s after it was told to"
  }
}
