// The target that must fail. A run of the other targets without a finding means something only if
// the same means find the fault of this target within seconds.

import SluiceWire

/// Reads beyond the end of its buffer if the input is a message of a certain form. Only the address
/// sanitizer can see the read, and only the fuzzer's coverage can find the form.
struct CanaryTarget: FuzzTarget {
  static let name = "canary"

  static func seeds(from vectors: SeedVectors) -> [[UInt8]] { [[]] }

  func run(_ input: [UInt8]) {
    // libFuzzer has to find this form: a message of one unsigned argument.
    guard input.count == 10, input[0] == 1, input[1] == ArgumentType.unsigned.rawValue else {
      return
    }
    let room = UnsafeMutableRawBufferPointer.allocate(byteCount: input.count, alignment: 1)
    defer { unsafe room.deallocate() }
    unsafe room.copyBytes(from: input)
    // The fault: the read begins at the last byte of the value.
    let value = unsafe room.baseAddress!.loadUnaligned(fromByteOffset: 9, as: UInt64.self)
    broken("the address sanitizer is not at work: it let \(value) be read")
  }
}
