// A script: the steps of a run, one on each line, for a replay. Lines that begin with # are for
// people: they say where the script came from. The first line identifies a script.

internal import SluiceCommand
internal import SluiceSystem
internal import ToolSupport

struct ModelScript {
  var sessions: Int
  var steps: [ModelStep]

  private static let title = "# sluice-harness model script, sessions: "

  private func text(remarks: [String]) -> String {
    var lines = [ModelScript.title + String(sessions)] + remarks.map { "# " + $0 }
    lines += steps.map(\.text)
    return lines.joined(separator: "\n") + "\n"
  }

  init(sessions: Int, steps: [ModelStep]) {
    self.sessions = sessions
    self.steps = steps
  }

  /// Reads a script. Throws the line that it cannot read.
  init(_ text: String) throws(HarnessError) {
    let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
    guard let first = lines.first, first.hasPrefix(ModelScript.title),
      let sessions = Int(first.dropFirst(ModelScript.title.count)),
      (1...ModelLimits.sessions).contains(sessions)
    else { throw .failed("this is no script of 'sluice-harness model'") }
    self.sessions = sessions
    steps = []
    for (index, line) in lines.enumerated() where !line.isEmpty && !line.hasPrefix("#") {
      guard let step = ModelStep(line), Int(step.session) < sessions else {
        throw .failed("line \(index + 1) is no step: \(line)")
      }
      steps.append(step)
    }
  }

  // MARK: In a file

  static func read(_ path: String) throws(HarnessError) -> ModelScript {
    let bytes = try needed(path) { () throws(Errno) in
      let file = try unsafe FileDescriptor.open(zeroTerminated(path), .readOnly)
      let byteCount = Int(try file.status().byteCount)
      let room = UnsafeMutableRawBufferPointer.allocate(byteCount: byteCount, alignment: 8)
      defer { unsafe room.deallocate() }
      let count = try unsafe file.read(into: room, at: 0)
      return unsafe [UInt8](UnsafeRawBufferPointer(rebasing: room[..<count]))
    }
    do throws(HarnessError) {
      return try ModelScript(String(decoding: bytes, as: UTF8.self))
    } catch {
      if case .failed(let text) = error { throw .failed("\(path): \(text)") }
      throw error
    }
  }

  func write(to path: String, remarks: [String]) throws(HarnessError) {
    do throws(ToolError) {
      try OutputFile(path).write(text(remarks: remarks))
    } catch {
      if case .failed(let text) = error { throw .failed(text) }
      throw .failed(path)
    }
  }
}
