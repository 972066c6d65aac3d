// What a query reads: JSON values that stand elsewhere, in a parsed text or in a document's view.
// Nothing is copied to be looked at.

/// The kind of a JSON value.
enum QueryValueKind: Hashable, Sendable {
  case null, boolean, number, string, array, object
}

/// A JSON value without parts.
enum QueryScalar: Hashable, Sendable {
  case null
  case boolean(Bool)
  case number(QueryNumber)
  case string(ExactText)
}

/// A JSON value that does not change while it is read.
protocol QueryValue {
  var kind: QueryValueKind { get }

  /// Nil for arrays and objects. A string may be made for this, so it costs `stepCount`.
  var scalar: QueryScalar? { get }

  /// The elements of an array, the members of an object; 0 for scalars.
  var count: Int { get }

  /// Whether that is its count. Of an object no more members are counted.
  func hasCount(_ count: Int) -> Bool

  /// The code points of a string, and 0 for others. Does not make the string.
  var scalarCount: Int { get }

  /// An element of an array; `index` is below its count. Of all of them, ask for `elements`: to find
  /// one may take as long.
  func element(at index: Int) -> Self

  /// The elements of an array; none of others.
  var elements: [Self] { get }

  /// Nil if this is no object, or has no such member.
  func member(_ key: ExactText) -> Self?

  /// The keys of an object, ascending by their UTF-8 bytes; none for others.
  var keys: [ExactText] { get }
}

extension QueryValue {
  /// The steps of looking at what it says itself: 1, and of a string 1 for 16 code points.
  var stepCount: Int { 1 + scalarCount >> 4 }

  /// What a step of a path leads to: a member of an object, or an element of an array. An index is
  /// written in decimal without zeros before it.
  func child(_ key: ExactText) -> Self? {
    switch kind {
    case .object: return member(key)
    case .array:
      guard let index = ArrayIndex.index(of: key), index < count else { return nil }
      return element(at: index)
    case .null, .boolean, .number, .string: return nil
    }
  }
}

/// The documents that a query may read.
protocol QueryDocuments {
  associatedtype Value: QueryValue

  /// Nil if there is no such document, or if the reader may not see it.
  func root(ofDocument id: String) -> Value?
}

/// Array indices as steps of a path.
enum ArrayIndex {
  static func key(_ index: Int) -> ExactText { ExactText(String(index)) }

  /// Nil if the step is no index.
  static func index(of key: ExactText) -> Int? {
    let digits = key.text.utf8
    guard digits.count <= 18, let first = digits.first,
      first != UInt8(ascii: "0") || digits.count == 1
    else { return nil }
    var index = 0
    for digit in digits {
      guard digit >= UInt8(ascii: "0"), digit <= UInt8(ascii: "9") else { return nil }
      index = index * 10 + Int(digit - UInt8(ascii: "0"))
    }
    return index
  }
}

extension ExactText {
  /// The order of keys: by UTF-8 bytes.
  func precedes(_ other: ExactText) -> Bool {
    text.utf8.lexicographicallyPrecedes(other.text.utf8)
  }
}
