// The actors of a document. An actor keeps its index for ever; its rank among all changes when
// another actor comes. The order of any two actors never changes.

package struct ActorTable: Sendable {
  private(set) var names: [[UInt8]] = []
  /// By index: the place in ascending byte order. Only `insert` and `truncate` may change it,
  /// and the canary of the random histories, which puts the ranks into a wrong order.
  package var ranks: [UInt32] = []
  /// By rank: the index.
  private(set) var byRank: [UInt32] = []
  private var indexes: [[UInt8]: UInt32] = [:]
  /// By index: the actor's changes, in order of their sequence numbers.
  var changes: [[UInt32]] = []

  var count: Int { names.count }

  func index(of name: [UInt8]) -> UInt32? { indexes[name] }

  package mutating func insert(_ name: [UInt8]) -> UInt32 {
    if let index = indexes[name] { return index }
    let index = UInt32(names.count)
    var low = 0
    var high = byRank.count
    while low < high {
      let middle = (low + high) / 2
      if names[Int(byRank[middle])].lexicographicallyPrecedes(name) {
        low = middle + 1
      } else {
        high = middle
      }
    }
    names.append(name)
    changes.append([])
    indexes[name] = index
    byRank.insert(index, at: low)
    ranks.append(0)
    for rank in low..<byRank.count { ranks[Int(byRank[rank])] = UInt32(rank) }
    return index
  }

  /// Forgets the actors that came last.
  mutating func truncate(to count: Int) {
    guard count < names.count else { return }
    for name in names[count...] { indexes[name] = nil }
    names.removeSubrange(count...)
    changes.removeSubrange(count...)
    byRank.removeAll { $0 >= count }
    ranks.removeSubrange(count...)
    for (rank, index) in byRank.enumerated() { ranks[Int(index)] = UInt32(rank) }
  }
}
