// A fuzz target: a name, and a function that takes any bytes and must not trap. With it, the two
// functions by which a target reports a broken promise.

import Foundation

/// One thing to fuzz. It is made once in the process. `run` is called for every input, on one
/// thread.
protocol FuzzTarget: SendableMetatype {
  static var name: String { get }
  /// The inputs to begin with.
  static func seeds(from vectors: SeedVectors) throws -> [[UInt8]]

  init() throws
  /// Leaves nothing behind that the next input could notice, because an input that breaks something
  /// must break it alone.
  mutating func run(_ input: [UInt8])
}

/// Ends the run with a finding unless `condition` holds.
func require(_ condition: Bool, _ text: @autoclosure () -> String) {
  if !condition { broken(text()) }
}

/// Names the broken promise, and ends the run with a finding.
func broken(_ text: String) -> Never { fatalError(text) }
