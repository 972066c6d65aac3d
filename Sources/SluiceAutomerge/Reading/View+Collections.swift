// Maps and sequences as collections. Each knows its rows; an entry is made when it is asked for.

extension View {
  /// The keys of a map in ascending order of their UTF-8 bytes, with what stands there.
  public struct Properties: RandomAccessCollection, Sendable {
    private let view: View
    private let slot: UInt32
    private let keys: [UInt32]

    init(_ view: View, _ slot: UInt32) {
      self.view = view
      self.slot = slot
      keys = view.propertyRows(of: slot).map(\.key)
    }

    /// The place of the first key.
    public var startIndex: Int { 0 }
    /// The number of keys.
    public var endIndex: Int { keys.count }

    /// The key at a place, and what stands there.
    public subscript(position: Int) -> (key: String, entry: Entry) {
      let key = keys[position]
      return (
        view.text(view.store.keys.ranges[Int(key)]), view.entry(view.register(slot, key: key))
      )
    }

    /// What stands at a key; nil if nothing does. Keys are equal if their bytes are.
    public subscript(key: String) -> Entry? {
      guard let index = view.store.keys.index(of: key.utf8, in: view.store.contents) else {
        return nil
      }
      let register = view.register(slot, key: index)
      return register.isEmpty ? nil : view.entry(register)
    }
  }

  /// The visible elements of a list or text in order, with the operations that inserted them. An
  /// element of a text may hold several scalars, so its place here is not its index in the text.
  public struct Elements: RandomAccessCollection, Sendable {
    private let view: View
    private let rows: [UInt32]

    init(_ view: View, _ slot: UInt32) {
      self.view = view
      var rows: [UInt32] = []
      view.forEachElement(of: slot) { row, _ in
        rows.append(row)
        return true
      }
      self.rows = rows
    }

    /// The place of the first element.
    public var startIndex: Int { 0 }
    /// The number of elements.
    public var endIndex: Int { rows.count }

    /// The element at a place, by the operation that inserted it, and what stands there.
    public subscript(position: Int) -> (element: OperationID, entry: Entry) {
      let row = rows[position]
      return (view.store.id(of: row), view.entry(view.register(ofElement: row)))
    }
  }
}
