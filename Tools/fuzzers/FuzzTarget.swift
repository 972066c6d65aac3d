// What libFuzzer drives: a name, and a function that takes any bytes and must not trap.

import Foundation

/// One thing to fuzz. Made once in the process; `run` is called for every input, on one thread.
protocol FuzzTarget: SendableMetatype {
  static var name: String { get }
  /// Bytes to begin with.
  static func seeds(from vectors: SeedVectors) throws -> [[UInt8]]

  init() throws
  /// Leaves nothing behind that the next input could notice: an input that breaks something must
  /// break it alone.
  mutating func run(_ input: [UInt8])
}

let allTargets: [any FuzzTarget.Type] = [
  SerializerTarget.self, HandshakeTarget.self, SlotTarget.self, AnswerTarget.self,
  StandingLockTarget.self, WindowTarget.self, WALTarget.self, PathTarget.self, SessionTarget.self,
  CanaryTarget.self,
]

struct UnknownTarget: Error, CustomStringConvertible {
  let name: String
  var description: String {
    let known = allTargets.map { $0.name }.joined(separator: " ")
    return "target \(name.isEmpty ? "missing" : name): want one of \(known)"
  }
}

func target(named name: String) throws -> any FuzzTarget.Type {
  guard let target = allTargets.first(where: { $0.name == name }) else {
    throw UnknownTarget(name: name)
  }
  return target
}

/// Ends the run with a finding unless `condition` holds.
func require(_ condition: Bool, _ text: @autoclosure () -> String) {
  if !condition { broken(text()) }
}

/// A promise was broken: says which, and ends the run with a finding.
func broken(_ text: String) -> Never { fatalError(text) }

// MARK: libFuzzer

@_silgen_name("LLVMFuzzerRunDriver")
private func runDriver(
  _ count: UnsafeMutablePointer<CInt>,
  _ words: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?>,
  _ runOne: @convention(c) (UnsafePointer<UInt8>?, Int) -> CInt
) -> CInt

/// There for the program's own entry in libFuzzer, which is not used.
@_cdecl("LLVMFuzzerTestOneInput")
public func runNothing(_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> CInt { 0 }

private nonisolated(unsafe) var present: (any FuzzTarget)?

/// Hands the process to libFuzzer, which ends it.
func run(_ target: any FuzzTarget.Type) -> Never {
  do { unsafe present = try target.init() } catch { fail("\(target.name): \(error)", code: 1) }
  // The driver may put other words in the place of these.
  var words = unsafe CommandLine.arguments.enumerated().filter { $0.offset != 1 }
    .map { unsafe strdup($0.element) }
  unsafe words.append(nil)
  var count = unsafe CInt(words.count - 1)
  let code = unsafe words.withUnsafeMutableBufferPointer { buffer in
    var start = buffer.baseAddress
    return unsafe runDriver(&count, &start) { (bytes, count) in
      unsafe present!.run(Array(UnsafeBufferPointer(start: bytes, count: count)))
      return 0
    }
  }
  exit(code)
}
