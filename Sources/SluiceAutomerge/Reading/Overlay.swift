// The past: what was visible at some heads, for those keys and elements on which later changes act.
// All others look the same as today.

struct Overlay: Sendable {
  /// By row: whether it belongs to the heads or their ancestors.
  private(set) var isIncluded: [Bool]
  /// By object and key index.
  private(set) var maps: [UInt32: [UInt32: Register]] = [:]
  private(set) var elements: [UInt32: Register] = [:]
  /// The sequences of these elements.
  private(set) var sequences: Set<UInt32> = []
  private(set) var increments: [UInt32: Int64] = [:]
  /// The sequences whose marks may have been others.
  private(set) var markedSequences: Set<UInt32> = []

  init(of store: Store, at heads: [UInt32]) {
    isIncluded = Array(repeating: true, count: store.rows.count)
    let isAncestor = store.ancestors(of: heads)
    var isEqualToPresent = true
    for index in isAncestor.indices where !isAncestor[index] {
      isEqualToPresent = false
      for row in store.changes[UInt32(index)].rows { exclude(row, store) }
    }
    if !isEqualToPresent { collect(store) }
  }

  private mutating func exclude(_ index: Int, _ store: Store) {
    isIncluded[index] = false
    let row = store.rows[index]
    if store.isSequence(row.object) {
      if row.action == Action.mark {
        markedSequences.insert(row.object)
      } else {
        elements[store.element(of: UInt32(index))] = Register()
      }
      sequences.insert(row.object)
    } else {
      maps[row.object, default: [:]][row.key] = Register()
    }
  }

  /// Finds what was visible. Whatever names an operation acts on the same key or element, so all that
  /// matters is found among the rows of these.
  private mutating func collect(_ store: Store) {
    var overwritten: Set<UInt32> = []
    var values: [UInt32] = []
    for index in store.rows.indices where isIncluded[index] && contains(UInt32(index), store) {
      let row = store.rows[index]
      for predecessor in store.predecessors(of: row) {
        if row.action == Action.increment, store.rows[Int(predecessor)].isCounter {
          increments[predecessor, default: 0] &+= store.amount(of: row)
        } else {
          overwritten.insert(predecessor)
        }
      }
      if row.isValue { values.append(UInt32(index)) }
    }
    for value in values where !overwritten.contains(value) {
      let row = store.rows[Int(value)]
      if store.isSequence(row.object) {
        elements[store.element(of: value)]?.insert(value, store.rows, store.actors.ranks)
      } else {
        maps[row.object]?[row.key]?.insert(value, store.rows, store.actors.ranks)
      }
    }
  }

  private func contains(_ index: UInt32, _ store: Store) -> Bool {
    let row = store.rows[Int(index)]
    if store.isSequence(row.object) {
      return sequences.contains(row.object) && row.action != Action.mark
        && elements[store.element(of: index)] != nil
    }
    return maps[row.object]?[row.key] != nil
  }
}
