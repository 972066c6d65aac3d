// A program under test, in its own process group. It cannot outlive its time limit or its test. Its
// output goes to files, so nothing blocks on a pipe. The whole group is killed in deinit.

import Foundation
import Glibc
import Testing

/// How a program ended.
enum Ending: Equatable, CustomStringConvertible {
  case exited(Int32)
  case killed(Int32)

  var description: String {
    switch self {
    case .exited(let code): "exit code \(code)"
    case .killed(let signal): "signal \(signal)"
    }
  }
}

/// The results of a program that has ended.
struct Outcome {
  var ending: Ending
  var output: String
  var errors: String

  var lines: [String] { output.split(separator: "\n").map(String.init) }
}

/// Confined to its test.
final class ChildProcess {
  let id: pid_t
  private let name: String
  private let outputURL: URL
  private let errorsURL: URL
  private var input: FileHandle?
  private(set) var ending: Ending?

  /// Starts `words[0]`, which is searched in PATH. The environment is `environment`, PATH, and a
  /// variable that turns off Swift's crash reports.
  init(
    _ words: [String], environment: [String: String] = [:], workingDirectory: URL, scratch: URL
  ) throws {
    name = words[0]
    let mark = UUID().uuidString
    outputURL = scratch.appending(path: "out-\(mark)")
    errorsURL = scratch.appending(path: "err-\(mark)")
    // The C library can start a program in another directory, but Swift cannot see that call.
    let words = ["env", "-C", workingDirectory.path] + words
    var variables = environment
    // Swift's own crash report would outlive the test.
    variables["SWIFT_BACKTRACE"] = "enable=no"
    variables["PATH"] = ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin"
    let settings = variables.map { "\($0)=\($1)" }
    let (output, errors) = (outputURL.path, errorsURL.path)
    (id, input) = try ChildProcess.starting.withLock {
      try ChildProcess.spawn(words, settings, output: output, errors: errors)
    }
  }

  /// Held from the moment a pipe is made until no program can inherit its wrong end.
  private static let starting = NSLock()

  private static func spawn(
    _ words: [String], _ settings: [String], output: String, errors: String
  ) throws -> (pid_t, FileHandle) {
    var ends: [Int32] = [-1, -1]
    guard unsafe pipe(&ends) == 0 else { throw StartFailure(words, errno) }
    defer { close(ends[0]) }
    for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    let input = FileHandle(fileDescriptor: ends[1], closeOnDealloc: true)

    var actions = unsafe posix_spawn_file_actions_t()
    unsafe posix_spawn_file_actions_init(&actions)
    defer { unsafe posix_spawn_file_actions_destroy(&actions) }
    let create = O_WRONLY | O_CREAT | O_TRUNC
    unsafe posix_spawn_file_actions_adddup2(&actions, ends[0], 0)
    unsafe posix_spawn_file_actions_addopen(&actions, 1, output, create, 0o600)
    unsafe posix_spawn_file_actions_addopen(&actions, 2, errors, create, 0o600)

    var attributes = posix_spawnattr_t()
    unsafe posix_spawnattr_init(&attributes)
    defer { unsafe posix_spawnattr_destroy(&attributes) }
    var signals = sigset_t()
    unsafe sigemptyset(&signals)
    unsafe posix_spawnattr_setsigmask(&attributes, &signals)
    unsafe sigfillset(&signals)
    unsafe posix_spawnattr_setsigdefault(&attributes, &signals)
    unsafe posix_spawnattr_setpgroup(&attributes, 0)
    let flags = POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF
    unsafe posix_spawnattr_setflags(&attributes, Int16(flags))

    var arguments = unsafe words.map { unsafe strdup($0) } + [nil]
    var environment = unsafe settings.map { unsafe strdup($0) } + [nil]
    defer { for index in unsafe arguments.indices { unsafe free(arguments[index]) } }
    defer { for index in unsafe environment.indices { unsafe free(environment[index]) } }
    var started: pid_t = 0
    let error = unsafe posix_spawnp(
      &started, words[0], &actions, &attributes, &arguments, &environment)
    guard error == 0 else { throw StartFailure(words, error) }
    return (started, input)
  }

  deinit {
    // The process was not reaped before, so no other process can have its number.
    killpg(id, SIGKILL)
    var status: Int32 = 0
    unsafe waitpid(id, &status, 0)
    try? FileManager.default.removeItem(at: outputURL)
    try? FileManager.default.removeItem(at: errorsURL)
  }

  // MARK: Input and output

  var output: String { (try? String(contentsOf: outputURL, encoding: .utf8)) ?? "" }
  var errors: String { (try? String(contentsOf: errorsURL, encoding: .utf8)) ?? "" }

  /// Writes a line to the program's standard input.
  func say(_ line: String) { try? input?.write(contentsOf: Data((line + "\n").utf8)) }

  func closeInput() { input = nil }

  /// Waits until the output has a line that equals `line`.
  func awaitLine(_ line: String, within seconds: Double = 20) throws {
    let came = eventually(within: seconds) {
      self.output.split(separator: "\n").contains { $0 == line } || !self.isRunning
    }
    guard came, output.split(separator: "\n").contains(where: { $0 == line }) else {
      throw Overdue("\(name) never said '\(line)'; output: \(output)\nerrors: \(errors)")
    }
  }

  // MARK: End

  var isRunning: Bool {
    if ending != nil { return false }
    var end = unsafe siginfo_t()
    let how = WEXITED | WNOHANG | WNOWAIT
    guard unsafe waitid(P_PID, id_t(id), &end, how) == 0, unsafe end.si_signo == SIGCHLD else {
      return true
    }
    let status = unsafe end._sifields._sigchld.si_status
    ending = unsafe end.si_code == CLD_EXITED ? .exited(status) : .killed(status)
    return false
  }

  /// Whether SIGSTOP has reached all its threads.
  var isStopped: Bool {
    let tasks = "/proc/\(id)/task"
    let threads = (try? FileManager.default.contentsOfDirectory(atPath: tasks)) ?? []
    return !threads.isEmpty
      && threads.allSatisfy {
        let status = try? String(contentsOfFile: "\(tasks)/\($0)/status", encoding: .utf8)
        return status?.contains("State:\tT") == true
      }
  }

  func send(_ signal: Int32) { if isRunning { kill(id, signal) } }

  /// Waits for the program's end. After the limit, kills its group and throws.
  @discardableResult
  func wait(within seconds: Double = 30) throws -> Outcome {
    if !eventually(within: seconds, { !self.isRunning }) {
      killpg(id, SIGKILL)
      _ = eventually(within: 5) { !self.isRunning }
      throw Overdue("\(name) ran for over \(seconds) s; output: \(output)\nerrors: \(errors)")
    }
    return Outcome(ending: ending!, output: output, errors: errors)
  }

  /// Kills the program and waits for its end.
  func killNow() throws {
    send(SIGKILL)
    try wait()
  }
}

/// A watchdog ended a wait.
struct Overdue: Error, CustomStringConvertible {
  let description: String
  init(_ description: String) { self.description = description }
}

struct StartFailure: Error, CustomStringConvertible {
  let description: String
  init(_ words: [String], _ error: Int32) {
    description = unsafe "\(words): " + String(cString: strerror(error))
  }
}

/// Checks every two milliseconds until `condition` holds; false if the time is up first.
func eventually(within seconds: Double = 20, _ condition: () -> Bool) -> Bool {
  let end = ContinuousClock.now + .seconds(seconds)
  while !condition() {
    if ContinuousClock.now > end { return false }
    usleep(2000)
  }
  return true
}
