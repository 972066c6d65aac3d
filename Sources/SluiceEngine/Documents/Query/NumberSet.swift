// A small set of numbers. Most have at most one member, for which nothing is allocated.

enum NumberSet {
  case none
  case one(Int32)
  case many(Set<Int32>)

  var isEmpty: Bool { if case .none = self { true } else { false } }

  mutating func insert(_ number: Int32) {
    switch self {
    case .none: self = .one(number)
    case .one(let other): if other != number { self = .many([other, number]) }
    case .many(var set):
      self = .none
      set.insert(number)
      self = .many(set)
    }
  }

  mutating func remove(_ number: Int32) {
    switch self {
    case .none: break
    case .one(let other): if other == number { self = .none }
    case .many(var set):
      self = .none
      set.remove(number)
      if !set.isEmpty { self = .many(set) }
    }
  }

  func forEach(_ body: (Int32) -> Void) {
    switch self {
    case .none: break
    case .one(let number): body(number)
    case .many(let set): for number in set { body(number) }
    }
  }

  /// In no order.
  var members: [Int32] {
    switch self {
    case .none: []
    case .one(let number): [number]
    case .many(let set): Array(set)
    }
  }
}
