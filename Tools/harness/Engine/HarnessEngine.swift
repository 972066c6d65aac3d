// `sluice engine` over a directory of the harness's own. Confined to one thread, but for `socket`.

internal import CSluice
@unsafe @preconcurrency internal import Glibc
internal import SluiceCommand
internal import SluiceSystem
internal import ToolSupport

final class HarnessEngine {
  let socket: String
  let root: String
  private let directory: TemporaryDirectory
  private let words: [String]
  private(set) var process: Int32 = 0

  init(below parent: String) throws(HarnessError) {
    do {
      let program = try Installation.sidecar(beside: Installation.program())
      directory = try TemporaryDirectory(in: parent, owner: "sluice-harness")
      root = try directory.makeSubdirectory("root")
      socket = directory.path + "/socket"
      words = [program, "engine", "--root", root, "--socket", socket, "--quiet"]
    } catch let error as InstallationError {
      throw .failed(error.text)
    } catch let error as ToolError {
      throw harnessError(error)
    } catch { throw .failed("\(error)") }
    do throws(HarnessError) { try start() } catch {
      directory.remove()
      throw error
    }
  }

  /// Works with an engine, which must not end before.
  static func use<R>(
    below parent: String, _ body: (HarnessEngine) throws(HarnessError) -> R
  ) throws(HarnessError) -> R {
    let engine = try HarnessEngine(below: parent)
    do throws(HarnessError) {
      let result = try body(engine)
      if let ending = engine.stop() { throw .difference(ending) }
      return result
    } catch {
      engine.stop()
      throw error
    }
  }

  func subdirectory(_ name: String) throws(HarnessError) -> String {
    do throws(ToolError) { return try directory.makeSubdirectory(name) } catch {
      throw harnessError(error)
    }
  }

  /// Starts it, again after it was killed.
  func start() throws(HarnessError) {
    let log = directory.path + "/log"
    process = try needed(words[0]) { () throws(Errno) in
      let output = try unsafe FileDescriptor.open(
        zeroTerminated(log), [.readWrite, .create, OpenFlags(rawValue: UInt64(O_APPEND))],
        permissions: 0o600)
      return try spawn(words, descriptors: [(output.rawValue, 1), (output.rawValue, 2)])
    }
    for _ in 0..<20_000 {
      if (try? unsafe FileDescriptor.connect(toSocket: zeroTerminated(socket))) != nil { return }
      if hasEnded() { throw .failed("the engine did not start: \(lastWords)") }
      Clock.sleep(nanoseconds: 500_000)
    }
    throw .failed("the engine did not start within 10 s")
  }

  var lastWords: String {
    (textOfFile(directory.path + "/log") ?? "").split(separator: "\n").last.map(String.init) ?? ""
  }

  /// Whether it has ended, which nobody asked for.
  func hasEnded() -> Bool {
    guard process > 0 else { return true }
    guard waitpid(process, nil, WNOHANG) == process else { return false }
    process = 0
    return true
  }

  func kill() {
    guard process > 0 else { return }
    CSluice.kill(process, SIGKILL)
    _ = waitpid(process, nil, 0)
    process = 0
  }

  /// The kibibytes of memory that it has.
  var memoryKibibytes: Int {
    let lines = (textOfFile("/proc/\(process)/status") ?? "").split(separator: "\n")
    let line = lines.first { $0.hasPrefix("VmRSS:") }
    return line?.split(whereSeparator: { !$0.isNumber }).first.flatMap { Int($0) } ?? 0
  }

  /// Ends it and removes its files. What went wrong with its end.
  @discardableResult
  func stop(keepingFiles: Bool = false) -> String? {
    defer { if !keepingFiles { directory.remove() } }
    guard process > 0 else { return nil }
    CSluice.kill(process, SIGTERM)
    for _ in 0..<2000 {
      var status: Int32 = 0
      if unsafe waitpid(process, &status, WNOHANG) == process {
        process = 0
        return status == 0 ? nil : "the engine ended with status \(status): \(lastWords)"
      }
      Clock.sleep(nanoseconds: 5_000_000)
    }
    kill()
    return "the engine did not end within 10 s after it was told to"
  }

  deinit { kill() }
}
