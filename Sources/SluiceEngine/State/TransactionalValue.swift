// A value of a connection that follows its transaction: a rollback, also one to a savepoint, gives it
// back as it was. Pure.

struct TransactionalValue<Value> {
  /// What was set, and beneath how many savepoints. The first one is committed; each further one
  /// has more savepoints than the one before.
  private var entries: [(depth: Int32, value: Value)]
  /// How many savepoints are open, as far as was told.
  private var depth: Int32 = 0

  init(_ value: Value) { entries = [(-1, value)] }

  var value: Value { entries[entries.count - 1].value }

  mutating func set(_ value: Value) {
    if entries[entries.count - 1].depth == depth { entries.removeLast() }
    entries.append((depth, value))
  }

  /// Savepoint `number`, counted from 0, is opened.
  mutating func savepoint(_ number: Int32) { depth = number + 1 }

  /// Savepoint `number` and those in it are no more; what was set in them stays.
  mutating func release(_ number: Int32) {
    depth = number
    guard entries[entries.count - 1].depth > number else { return }
    let value = value
    drop(from: number)
    entries.append((number, value))
  }

  /// All is again as it was at savepoint `number`, which stays open.
  mutating func rollback(to number: Int32) {
    depth = number + 1
    drop(from: depth)
  }

  mutating func commit() { self = TransactionalValue(value) }
  mutating func rollback() { self = TransactionalValue(entries[0].value) }

  private mutating func drop(from depth: Int32) {
    while entries[entries.count - 1].depth >= depth { entries.removeLast() }
  }
}
