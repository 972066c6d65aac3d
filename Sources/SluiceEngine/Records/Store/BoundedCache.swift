// A dictionary that forgets all when it is full. What is used often is soon there again.

struct BoundedCache<Key: Hashable, Value> {
  private var values: [Key: Value] = [:]
  private let capacity: Int

  init(capacity: Int) { self.capacity = capacity }

  subscript(key: Key) -> Value? {
    get { values[key] }
    set {
      if values.count >= capacity, values[key] == nil { values.removeAll(keepingCapacity: true) }
      values[key] = newValue
    }
  }

  mutating func removeAll() { values.removeAll(keepingCapacity: true) }
}
