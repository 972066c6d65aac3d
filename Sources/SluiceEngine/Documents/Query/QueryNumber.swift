// Numbers as JSON Schema compares them: by value, whatever their notation. Pure.

/// A number. Whole numbers of 64 bits are exact; all others are doubles. One value has one form.
enum QueryNumber: Hashable, Sendable {
  case integer(Int64)
  /// Above `Int64.max`.
  case unsigned(UInt64)
  /// Not a whole number of 64 bits.
  case real(Double)

  init(_ value: Int64) { self = .integer(value) }

  init(_ value: UInt64) {
    if let small = Int64(exactly: value) { self = .integer(small) } else { self = .unsigned(value) }
  }

  init(_ value: Double) {
    if let whole = Int64(exactly: value) {
      self = .integer(whole)
    } else if let whole = UInt64(exactly: value) {
      self = .unsigned(whole)
    } else {
      self = .real(value)
    }
  }

  /// The number of a JSON text; beyond the range of doubles, an infinity.
  init?(json text: String) {
    if let value = Int64(text) {
      self.init(value)
    } else if let value = UInt64(text) {
      self.init(value)
    } else if let value = Double(text) {
      self.init(value)
    } else {
      return nil
    }
  }

  /// What JSON Schema calls an integer: 1, 1.0 and 1e30.
  var isInteger: Bool {
    if case .real(let value) = self { value.isFinite && value.rounded() == value } else { true }
  }
}

extension QueryNumber: Comparable {
  static func < (left: QueryNumber, right: QueryNumber) -> Bool {
    switch (left.whole, right.whole) {
    case (let left?, let right?): left < right
    case (let left?, nil): !right.isBelow(left)
    case (nil, let right?): left.isBelow(right)
    case (nil, nil): left.double < right.double
    }
  }

  private var whole: Int128? {
    switch self {
    case .integer(let value): Int128(value)
    case .unsigned(let value): Int128(value)
    case .real: nil
    }
  }

  private var double: Double {
    switch self {
    case .integer(let value): Double(value)
    case .unsigned(let value): Double(value)
    case .real(let value): value
    }
  }

  /// Whether a real, which equals no whole number of 64 bits, is less than one.
  private func isBelow(_ number: Int128) -> Bool {
    let floor = double.rounded(.down)
    if floor >= 0x1p64 { return false }
    if floor < -0x1p63 { return true }
    return Int128(floor) < number
  }
}
