// Raw DEFLATE, and the bound on what it may become.

internal import CAutomerge

/// Inflates a stream that fills `range` exactly. The size is counted before memory is taken, so a
/// stream that would exceed the limits costs no memory.
func inflated(
  _ bytes: [UInt8], _ range: Range<Int>, limits: Limits
) throws(AutomergeError) -> [UInt8] {
  let room = limits.inflationRoom
  let outcome = unsafe bytes.withUnsafeBufferPointer { input in
    let stream = unsafe UnsafeBufferPointer(rebasing: input[range])
    var byteCount = 0
    let counted = unsafe cautomerge_measure(stream.baseAddress, stream.count, room, &byteCount)
    guard counted == cautomerge_inflated else { return (counted, [UInt8]()) }
    var result = cautomerge_inflated
    let output = unsafe [UInt8](unsafeUninitializedCapacity: byteCount) {
      output, initializedCount in
      result = unsafe cautomerge_inflate(
        stream.baseAddress, stream.count, output.baseAddress, byteCount, &initializedCount)
    }
    return (result, output)
  }
  switch outcome.0 {
  case cautomerge_inflated: return outcome.1
  case cautomerge_too_large, cautomerge_no_memory:
    throw AutomergeError(.limitReached, .init(byteOffset: range.lowerBound))
  case cautomerge_surplus:
    throw AutomergeError(.trailingBytes, .init(byteOffset: range.lowerBound))
  default: throw AutomergeError(.damagedCompression, .init(byteOffset: range.lowerBound))
  }
}

/// The stream of `bytes`; nil if it would not be shorter, or so short that readers with the ordinary
/// limits refuse it.
func deflated(_ bytes: [UInt8]) -> [UInt8]? {
  let limits = Limits()
  guard bytes.count <= limits.inflatedByteCountMax else { return nil }
  let room = cautomerge_deflate_bound(bytes.count)
  let stream = unsafe [UInt8](unsafeUninitializedCapacity: room) { output, initializedCount in
    initializedCount = unsafe bytes.withUnsafeBufferPointer { input in
      unsafe cautomerge_deflate(input.baseAddress, input.count, output.baseAddress, room)
    }
  }
  guard !stream.isEmpty, stream.count < bytes.count else { return nil }
  if bytes.count > limits.inflatedByteCountFree {
    var byteCount = 0
    let measured = unsafe stream.withUnsafeBufferPointer {
      unsafe cautomerge_measure($0.baseAddress, $0.count, limits.inflationRoom, &byteCount)
    }
    guard measured == cautomerge_inflated else { return nil }
  }
  return stream
}

extension Limits {
  fileprivate var inflationRoom: cautomerge_room {
    cautomerge_room(
      byte_count_max: max(0, inflatedByteCountMax), byte_count_free: max(0, inflatedByteCountFree),
      ratio_max: max(1, inflationRatioMax))
  }
}
