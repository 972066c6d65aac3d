// Myers' greedy algorithm: the least deletions and insertions that make one row of numbers another.
//
// V(d, k) is how far in the old row one comes with d edits on the diagonal k = old − new. Each V is
// kept, to walk the way back, so the memory grows with the square of the edits.

enum ShortestEdit {
  /// The equal places of both rows, from the last to the first; nil if it takes more edits.
  static func pairs(
    _ old: [Int32], _ new: [Int32], editCountMaximum: Int
  ) -> [LinePair]? {
    guard abs(old.count - new.count) <= editCountMaximum else { return nil }
    // V(d, k) at index k + d + 1 of its row; outside of it −1, which no way comes from.
    var rows: [[Int32]] = []
    var last: [Int32] = [-1, 0, -1]
    for edits in 0...editCountMaximum {
      var row = [Int32](repeating: -1, count: 2 * edits + 3)
      for diagonal in stride(from: -edits, through: edits, by: 2) {
        var place = edits == 0 ? 0 : start(on: diagonal, edits, last)
        if place < 0 || place > old.count || place - diagonal > new.count { continue }
        while place < old.count, place - diagonal < new.count,
          old[place] == new[place - diagonal]
        {
          place += 1
        }
        row[diagonal + edits + 1] = Int32(place)
        if place == old.count, place - diagonal == new.count {
          return wayBack(rows, from: LinePair(old: place, new: place - diagonal), edits)
        }
      }
      rows.append(row)
      last = row
    }
    return nil
  }

  /// Where one comes to a diagonal from the row before: by an insertion from the diagonal above, or by
  /// a deletion from the one below, whichever is farther.
  private static func start(on diagonal: Int, _ edits: Int, _ before: [Int32]) -> Int {
    let (above, below) = neighbours(of: diagonal, edits, before)
    return above > below ? above : below < 0 ? above : below + 1
  }

  private static func neighbours(
    of diagonal: Int, _ edits: Int, _ before: [Int32]
  ) -> (above: Int, below: Int) {
    func value(_ diagonal: Int) -> Int {
      let index = diagonal + (edits - 1) + 1
      return before.indices.contains(index) ? Int(before[index]) : -1
    }
    return (value(diagonal + 1), value(diagonal - 1))
  }

  private static func wayBack(
    _ rows: [[Int32]], from end: LinePair, _ editCount: Int
  ) -> [LinePair] {
    var pairs: [LinePair] = []
    var place = end
    for edits in stride(from: editCount, through: 0, by: -1) {
      let diagonal = place.old - place.new
      let begin = edits == 0 ? 0 : start(on: diagonal, edits, rows[edits - 1])
      while place.old > begin {
        place = LinePair(old: place.old - 1, new: place.new - 1)
        pairs.append(place)
      }
      if edits == 0 { break }
      let (above, below) = neighbours(of: diagonal, edits, rows[edits - 1])
      let isInsertion = above > below || below < 0
      place =
        isInsertion
        ? LinePair(old: place.old, new: place.new - 1)
        : LinePair(old: place.old - 1, new: place.new)
    }
    return pairs
  }
}
