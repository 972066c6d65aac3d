// A process that a benchmark starts. It is in a process group of its own, so that Ctrl-C reaches it
// only through its owner. It has a pipe to its standard input and one from its output and errors.
// It does not outlive its owner.

internal import CSluice
internal import Glibc
internal import SluiceCommand
internal import SluiceSystem
internal import ToolSupport

/// Confined to one thread.
final class MeasuredProcess {
  let id: Int32
  /// When it was started.
  let startedNanoseconds: Int64
  private let name: String
  private var input: FileDescriptor?
  private let output: FileDescriptor
  private var received: [UInt8] = []
  private var exitStatus: Int32?

  /// Starts the program of the path `words[0]`. The program gets `descriptor` as its descriptor 3,
  /// and this process's environment.
  init(_ words: [String], descriptor: Int32 = -1) throws(Errno) {
    name = words.joined(separator: " ")
    let input = try Pipe()
    let output = try Pipe()
    startedNanoseconds = Clock.monotonicNanoseconds()
    id = try spawn(
      words,
      descriptors: [
        (input.readingEnd.rawValue, 0), (output.writingEnd.rawValue, 1),
        (output.writingEnd.rawValue, 2), (descriptor, 3),
      ])
    // Only the child has the other ends from now on: otherwise its end would never show.
    self.input = consume input.writingEnd
    self.output = consume output.readingEnd
  }

  deinit {
    guard exitStatus == nil else { return }
    kill(-id, SIGKILL)
    _ = waitpid(id, nil, 0)
  }

  // MARK: Talking to it

  /// Sends a line. A process that does not read any more does not get it.
  func say(_ line: String) {
    guard let raw = input?.rawValue else { return }
    var text = line + "\n"
    text.withUTF8 { _ = unsafe write(raw, $0.baseAddress, $0.count) }
  }

  func closeInput() { input = nil }

  /// Waits until the process has said `line`.
  func awaitLine(_ line: String, _ wait: InterruptibleWait, timeoutSeconds: Int)
    throws(ToolError)
  {
    let deadline = Clock.monotonicNanoseconds() + Int64(timeoutSeconds) * 1_000_000_000
    let wanted = Array(line.utf8)
    while true {
      if received.split(separator: UInt8(ascii: "\n")).contains(where: { $0.elementsEqual(wanted) })
      {
        return
      }
      guard try receive(wait, until: deadline) else {
        try awaitEnd(wait, until: deadline)
        throw failure
      }
    }
  }

  /// Waits for its end and returns everything that it said.
  @discardableResult
  func finish(_ wait: InterruptibleWait, timeoutSeconds: Int) throws(ToolError) -> [UInt8] {
    let deadline = Clock.monotonicNanoseconds() + Int64(timeoutSeconds) * 1_000_000_000
    while try receive(wait, until: deadline) {}
    try awaitEnd(wait, until: deadline)
    if exitStatus != 0 { throw failure }
    return received
  }

  /// Asks it to end, and kills it after ten seconds.
  func stop() {
    guard exitStatus == nil else { return }
    kill(id, SIGTERM)
    if let end = try? FileDescriptor.processEnd(of: id) {
      _ = end.awaitReadable(timeoutMilliseconds: 10_000)
    }
    kill(-id, SIGKILL)
    var status: Int32 = 0
    _ = unsafe waitpid(id, &status, 0)
    exitStatus = status
  }

  // MARK: Private

  /// False at the end of its output.
  private func receive(
    _ wait: InterruptibleWait, until deadline: Int64
  ) throws(ToolError) -> Bool {
    guard try wait.awaitReadable(output.rawValue, until: deadline) else { throw overdue }
    let chunk = 65536
    let before = received.count
    received += [UInt8](repeating: 0, count: chunk)
    let count = unsafe received.withUnsafeMutableBytes {
      unsafe read(output.rawValue, $0.baseAddress! + before, chunk)
    }
    received.removeLast(chunk - max(0, count))
    return count > 0
  }

  private func awaitEnd(
    _ wait: InterruptibleWait, until deadline: Int64
  ) throws(ToolError) {
    if exitStatus != nil { return }
    let isOver: Bool
    if let end = try? FileDescriptor.processEnd(of: id) {
      isOver = try wait.awaitReadable(end.rawValue, until: deadline)
    } else {
      isOver = true
    }
    guard isOver else { throw overdue }
    var status: Int32 = 0
    _ = unsafe waitpid(id, &status, 0)
    exitStatus = status
  }

  private var overdue: ToolError { .failed("\(name): did not end in time") }

  /// The error of a process that ended badly, with its own words.
  private var failure: ToolError {
    let lines = String(decoding: received, as: UTF8.self).split(separator: "\n")
    for line in lines {
      if line.hasPrefix("error\t") { return .failed(String(line.dropFirst(6))) }
      if line.hasPrefix("unopenable\t") { return .unopenable(String(line.dropFirst(11))) }
    }
    let status = exitStatus ?? 0
    let ending =
      status & 0x7f == 0 ? "exit code \(status >> 8)" : "killed by signal \(status & 0x7f)"
    return .failed("\(name): \(ending)" + (lines.last.map { "; " + String($0) } ?? ""))
  }
}

/// A pipe whose ends no other program inherits. Their numbers are above those of the child's own
/// descriptors.
private struct Pipe: ~Copyable {
  let readingEnd: FileDescriptor
  let writingEnd: FileDescriptor

  init() throws(Errno) {
    var ends: [Int32] = [-1, -1]
    guard unsafe pipe(&ends) == 0 else { throw Errno(sluice_errno()) }
    let moved = ends.map { fcntl($0, F_DUPFD_CLOEXEC, 10) }
    for end in ends { close(end) }
    guard moved.allSatisfy({ $0 >= 0 }) else { throw .tooManyOpen }
    readingEnd = FileDescriptor(owning: moved[0])
    writingEnd = FileDescriptor(owning: moved[1])
  }
}
