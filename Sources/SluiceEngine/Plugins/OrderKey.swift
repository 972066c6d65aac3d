// Texts that say an order, and leave room: between two of them there is always another.
//
// A key is a fraction between 0 and 1, by its digits behind the point, in base 62 and without zeros at
// the end. The digits are in ASCII's order, so keys compare as bytes, in SQL too.

enum OrderKey {
  private static let digits = Array(
    "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz".utf8)
  private static let base = 62
  /// The most digits whose value fits into an integer.
  private static let widthMaximum = 10
  /// What is left free beside keys at an open end.
  private static let room = 62

  static func isValid(_ key: [UInt8]) -> Bool {
    !key.isEmpty && key.last != digits[0] && key.allSatisfy { value(of: $0) != nil }
  }

  /// `count` keys in order, between `low` and `high`. nil stands for an open end. `low` is less than
  /// `high`, and both are valid.
  static func keys(
    _ count: Int, between low: [UInt8]?, and high: [UInt8]?
  ) -> [[UInt8]] {
    precondition(high.map { (low ?? []).lexicographicallyPrecedes($0) } ?? true)
    var prefix: [UInt8] = []
    var low = (low ?? [])[...]
    var high = high?[...]
    let isOpenBelow = low.isEmpty
    // A common begin is kept.
    while let first = high?.first, first == low.first ?? digits[0] {
      prefix.append(first)
      low = low.dropFirst()
      high = high?.dropFirst()
    }
    while true {
      let place = Place(isOpenBelow: isOpenBelow, isOpenAbove: high == nil, count: count)
      for width in 1...widthMaximum {
        let floor = number(low, width)
        let ceiling = high.map { number($0, width) + ($0.count > width ? 1 : 0) } ?? power(width)
        if let (first, step) = place.fit(from: floor, to: ceiling, width) {
          return (0..<count).map { prefix + text(first + step * $0, width) }
        }
      }
      // There is nothing between the first digits of both. What begins like `low` is below `high`.
      prefix += (0..<widthMaximum).map { low.count > $0 ? low[low.startIndex + $0] : digits[0] }
      low = low.dropFirst(widthMaximum)
      high = nil
    }
  }

  /// How keys lie in the room that they get.
  private struct Place {
    var isOpenBelow: Bool
    var isOpenAbove: Bool
    var count: Int

    /// The first key and the distance to the next one; nil if there is no room.
    func fit(from floor: Int, to ceiling: Int, _ width: Int) -> (first: Int, step: Int)? {
      if isOpenBelow || isOpenAbove {
        // Many may follow at an open end, one after the other. They must not halve the room each.
        guard width >= 4, ceiling - floor >= (count + 1) * room * 4 else { return nil }
        if !isOpenBelow { return (floor + room, room) }
        if !isOpenAbove { return (ceiling - room * count, room) }
        return ((ceiling - room * count) / 2, room)
      }
      let step = (ceiling - floor) / (count + 1)
      return step > 0 ? (floor + step, step) : nil
    }
  }

  private static func power(_ width: Int) -> Int {
    (0..<width).reduce(1) { result, _ in result * base }
  }

  private static func value(of digit: UInt8) -> Int? {
    switch digit {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): Int(digit - UInt8(ascii: "0"))
    case UInt8(ascii: "A")...UInt8(ascii: "Z"): Int(digit - UInt8(ascii: "A")) + 10
    case UInt8(ascii: "a")...UInt8(ascii: "z"): Int(digit - UInt8(ascii: "a")) + 36
    default: nil
    }
  }

  /// The first `width` digits as a number.
  private static func number(_ key: ArraySlice<UInt8>, _ width: Int) -> Int {
    var number = 0
    for index in 0..<width {
      number = number * base + (index < key.count ? value(of: key[key.startIndex + index]) ?? 0 : 0)
    }
    return number
  }

  private static func text(_ number: Int, _ width: Int) -> [UInt8] {
    var text = [UInt8](repeating: digits[0], count: width)
    var rest = number
    for index in stride(from: width - 1, through: 0, by: -1) {
      text[index] = digits[rest % base]
      rest /= base
    }
    while text.last == digits[0] { text.removeLast() }
    return text
  }
}
