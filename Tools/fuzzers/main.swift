// fuzzers: one program with every fuzz target, for libFuzzer to drive. Tools/fuzz builds and runs
// it.
//
//   fuzzers list                             the names of the targets
//   fuzzers seeds TARGET DIRECTORY VECTORS   writes the target's seeds, made from the protocol's
//                                            vectors, into an existing directory
//   fuzzers TARGET [libFuzzer's arguments]   fuzzes, or runs the inputs that it is given
//
// A finding is a trap, an address error or a broken promise, which `broken` turns into a trap.
// libFuzzer writes the input of a finding to a file and exits with 77.

import Foundation

let words = CommandLine.arguments

switch words.count > 1 ? words[1] : "" {
case "list":
  for target in allTargets { print(target.name) }
case "seeds" where words.count == 5:
  do {
    let vectors = try SeedVectors(directory: words[4])
    try writeSeeds(of: try target(named: words[2]), from: vectors, into: words[3])
  } catch {
    fail("seeds: \(error)", code: 1)
  }
case let name:
  do {
    run(try target(named: name))
  } catch {
    fail("\(error)", code: 64)
  }
}
