// Numbers and byte strings in their shortest form.

extension [UInt8] {
  mutating func append(unsigned value: UInt64) {
    var rest = value
    while rest >= 0x80 {
      append(UInt8(truncatingIfNeeded: rest) | 0x80)
      rest >>= 7
    }
    append(UInt8(rest))
  }

  mutating func append(signed value: Int64) {
    var rest = value
    while true {
      let low = UInt8(truncatingIfNeeded: rest) & 0x7f
      rest >>= 7
      if rest == 0 && low & 0x40 == 0 || rest == -1 && low & 0x40 != 0 {
        append(low)
        return
      }
      append(low | 0x80)
    }
  }

  /// A part of other bytes.
  mutating func append(_ range: ByteRange, of source: [UInt8]) {
    if range.count > 0 { append(contentsOf: source[range.range]) }
  }

  /// A byte string with its length before it.
  mutating func append(lengthPrefixed bytes: some Collection<UInt8>) {
    append(unsigned: UInt64(bytes.count))
    append(contentsOf: bytes)
  }
}

/// How many bytes the shortest form of `value` takes.
func byteCount(ofUnsigned value: UInt64) -> Int {
  Swift.max(1, (64 - value.leadingZeroBitCount + 6) / 7)
}
