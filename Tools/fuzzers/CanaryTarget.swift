// The target that must fail: a run of the others that finds nothing says something only if this one is
// found within seconds by the same means.

import SluiceWire

/// Reads from behind the end of its buffer, which only the address sanitizer can see, where the input
/// is a message of a certain form, which only the coverage of the fuzzer can find.
struct CanaryTarget: FuzzTarget {
  static let name = "canary"

  static func seeds(from vectors: SeedVectors) -> [[UInt8]] { [[]] }

  func run(_ input: [UInt8]) {
    // A message of one unsigned argument, as libFuzzer has to find out.
    guard input.count == 10, input[0] == 1, input[1] == ArgumentType.unsigned.rawValue else {
      return
    }
    let room = UnsafeMutableRawBufferPointer.allocate(byteCount: input.count, alignment: 1)
    defer { unsafe room.deallocate() }
    unsafe room.copyBytes(from: input)
    // Fault: it begins where the last byte of the value is.
    let value = unsafe room.baseAddress!.loadUnaligned(fromByteOffset: 9, as: UInt64.self)
    broken("the address sanitizer is not at work: it let \(value) be read")
  }
}
