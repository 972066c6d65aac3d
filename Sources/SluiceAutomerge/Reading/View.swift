// The state of a document, now or at some heads, for reading. It knows objects by their ids and never
// follows a chain of objects by recursion.

/// The state of a document.
///
/// A view is a value: it stays as it is while the document goes on. As long as it is kept, the next
/// change of the document copies the document's memory.
public struct View: Sendable {
  let store: Store
  let overlay: Overlay?

  /// What stands at a key or element.
  public struct Entry: Hashable, Sendable {
    /// One of the values that concurrent writers left.
    public struct Candidate: Hashable, Sendable {
      /// The operation whose value this is.
      public var id: OperationID
      /// What it set or made.
      public var value: Value
    }

    /// The operation whose value counts.
    public var id: OperationID
    /// The value that counts.
    public var value: Value
    /// All values that concurrent writers left here, in ascending order of their operations; the last
    /// is the one that counts. One where there is no conflict.
    public var candidates: [Candidate]

    /// Whether concurrent writers left several values.
    public var isConflict: Bool { candidates.count > 1 }
  }

  /// Nil if the view knows no such object.
  public func kind(of object: ObjectID) -> ObjectKind? {
    slot(of: object).map { store.objects[Int($0)].kind }
  }

  // MARK: Maps

  /// The keys of a map, ascending by their UTF-8 bytes, with what stands there.
  public func properties(
    of object: ObjectID = .root
  ) throws(AutomergeError) -> Properties {
    Properties(self, try slot(of: object, isSequence: false))
  }

  /// What stands at a key of a map; nil if nothing does.
  public func value(
    forKey key: String, in object: ObjectID = .root
  ) throws(AutomergeError) -> Value? {
    try register(forKey: key, in: object).winner.map { value(of: $0) }
  }

  /// What stands at a key of a map, with its conflicts; nil if nothing does.
  public func entry(
    forKey key: String, in object: ObjectID = .root
  ) throws(AutomergeError) -> Entry? {
    let register = try register(forKey: key, in: object)
    return register.isEmpty ? nil : entry(register)
  }

  /// The number of a map's keys, but at most `countMax`: more are not counted.
  public func propertyCount(
    of object: ObjectID = .root, upTo countMax: Int
  ) throws(AutomergeError) -> Int {
    propertyCount(of: try slot(of: object, isSequence: false), upTo: countMax)
  }

  // MARK: Sequences

  /// The elements of a list, the scalars of a text, the keys of a map.
  public func count(of object: ObjectID) throws(AutomergeError) -> Int {
    guard let slot = slot(of: object) else { throw AutomergeError(.noSuchObject) }
    guard store.isSequence(slot) else { return propertyCount(of: slot) }
    guard isChanged(slot) else { return store.objects[Int(slot)].sequence.width }
    var count = 0
    forEachElement(of: slot) { _, register in
      count += width(of: register.winner!, in: slot)
      return true
    }
    return count
  }

  /// The elements of a list or text in order, with the operations that inserted them.
  public func elements(of object: ObjectID) throws(AutomergeError) -> Elements {
    Elements(self, try slot(of: object, isSequence: true))
  }

  /// The element that covers an index of a list, or a scalar of a text.
  public func entry(at index: Int, in object: ObjectID) throws(AutomergeError) -> Entry {
    let slot = try slot(of: object, isSequence: true)
    guard let element = element(at: index, in: slot) else { throw AutomergeError(.outOfRange) }
    return entry(register(ofElement: element))
  }

  /// A text, or the texts of a list's elements. Elements that are no strings count as U+FFFC.
  public func text(of object: ObjectID) throws(AutomergeError) -> String {
    let slot = try slot(of: object, isSequence: true)
    var bytes: [UInt8] = []
    appendText(of: slot, to: &bytes)
    return String(decoding: bytes, as: UTF8.self)
  }

  // MARK: Paths

  /// A step from an object to what stands in it.
  public enum Step: Hashable, Sendable, ExpressibleByStringLiteral, ExpressibleByIntegerLiteral {
    /// To what stands at a key of a map.
    case key(String)
    /// To an element of a list, or to the one that covers a scalar of a text.
    case index(Int)

    /// A key.
    public init(stringLiteral key: String) { self = .key(key) }
    /// An index.
    public init(integerLiteral index: Int) { self = .index(index) }
  }

  /// What stands at the end of a path from the root: `view["list", 0, "done"]`. Nil if the path leads
  /// nowhere.
  public subscript(path: Step...) -> Value? { value(at: path) }

  /// The object at the end of a path from the root.
  public func object(at path: some Sequence<Step>) throws(AutomergeError) -> ObjectID {
    guard let object = value(at: path)?.objectID else { throw AutomergeError(.noSuchObject) }
    return object
  }

  /// What stands at the end of a path from the root; nil if the path leads nowhere.
  public func value(at path: some Sequence<Step>) -> Value? {
    var value = Value.object(.map, .root)
    for step in path {
      guard case .object(_, let object) = value, let slot = slot(of: object) else { return nil }
      let register: Register
      switch step {
      case .key(let key):
        guard !store.isSequence(slot),
          let found = try? self.register(forKey: key, in: object)
        else { return nil }
        register = found
      case .index(let index):
        guard store.isSequence(slot), let element = element(at: index, in: slot) else {
          return nil
        }
        register = self.register(ofElement: element)
      }
      guard let winner = register.winner else { return nil }
      value = self.value(of: winner)
    }
    return value
  }
}
