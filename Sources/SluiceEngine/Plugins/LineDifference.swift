// Which lines of a new text are which lines of an old one.
//
// Equal lines at both ends are the same. Between them, Myers' greedy algorithm finds the shortest
// edit (An O(ND) Difference Algorithm, 1986) of at most 500 lines. Beyond that, the lines that stand
// once in each text keep their places as far as their order is the same, and what lies between two
// of them is trimmed at both ends. So the time is bounded for all texts.
//
// Last, a run of old lines whose place has as many new lines is taken as changed, line by line.

struct LineDifference {
  /// The text, without its end.
  typealias Line = ArraySlice<UInt8>

  private static let editCountMaximum = 500

  private let old: [Line]
  private let new: [Line]
  /// For each new line, the old one that it is.
  private var origins: [Int?]
  /// The numbers of the lines between the equal ends; equal lines have equal numbers.
  private var oldNumbers: [Int32] = []
  private var newNumbers: [Int32] = []

  /// For each new line, the index of the old line that it is, changed or not. The indices grow.
  static func origins(of new: [Line], in old: [Line]) -> [Int?] {
    var difference = LineDifference(old: old, new: new)
    difference.find()
    return difference.origins
  }

  private init(old: [Line], new: [Line]) {
    self.old = old
    self.new = new
    origins = [Int?](repeating: nil, count: new.count)
  }

  private mutating func find() {
    var start = 0
    var oldEnd = old.count
    var newEnd = new.count
    while start < oldEnd, start < newEnd, old[start] == new[start] {
      origins[start] = start
      start += 1
    }
    while oldEnd > start, newEnd > start, old[oldEnd - 1] == new[newEnd - 1] {
      oldEnd -= 1
      newEnd -= 1
      origins[newEnd] = oldEnd
    }
    if oldEnd > start, newEnd > start { findMiddle(start, oldEnd, newEnd) }
    pairRuns()
  }

  private mutating func findMiddle(_ start: Int, _ oldEnd: Int, _ newEnd: Int) {
    var numbers: [Line: Int32] = [:]
    func number(_ line: Line) -> Int32 {
      if let number = numbers[line] { return number }
      numbers[line] = Int32(numbers.count)
      return Int32(numbers.count - 1)
    }
    oldNumbers = old[start..<oldEnd].map(number)
    newNumbers = new[start..<newEnd].map(number)
    let pairs =
      ShortestEdit.pairs(oldNumbers, newNumbers, editCountMaximum: Self.editCountMaximum)
      ?? pairsByUniqueLines(numbers.count)
    for pair in pairs { origins[start + pair.new] = start + pair.old }
  }

  // MARK: Lines that are there once

  private func pairsByUniqueLines(_ numberCount: Int) -> [LinePair] {
    let anchors = longestRising(uniquePairs(numberCount))
    var pairs: [LinePair] = []
    var previous = LinePair(old: -1, new: -1)
    for anchor in anchors + [LinePair(old: oldNumbers.count, new: newNumbers.count)] {
      var start = LinePair(old: previous.old + 1, new: previous.new + 1)
      var end = anchor
      while start.old < end.old, start.new < end.new,
        oldNumbers[start.old] == newNumbers[start.new]
      {
        pairs.append(start)
        start = LinePair(old: start.old + 1, new: start.new + 1)
      }
      while end.old > start.old, end.new > start.new,
        oldNumbers[end.old - 1] == newNumbers[end.new - 1]
      {
        end = LinePair(old: end.old - 1, new: end.new - 1)
        pairs.append(end)
      }
      if anchor.old < oldNumbers.count { pairs.append(anchor) }
      previous = anchor
    }
    return pairs
  }

  /// The lines that both texts have once, in the new one's order.
  private func uniquePairs(_ numberCount: Int) -> [LinePair] {
    var oldCounts = [Int32](repeating: 0, count: numberCount)
    var newCounts = oldCounts
    var oldPlaces = oldCounts
    for (place, number) in oldNumbers.enumerated() {
      oldCounts[Int(number)] += 1
      oldPlaces[Int(number)] = Int32(place)
    }
    for number in newNumbers { newCounts[Int(number)] += 1 }
    return newNumbers.enumerated().compactMap { place, number in
      guard oldCounts[Int(number)] == 1, newCounts[Int(number)] == 1 else { return nil }
      return LinePair(old: Int(oldPlaces[Int(number)]), new: place)
    }
  }

  /// As many of the pairs as possible whose old indices grow.
  private func longestRising(_ pairs: [LinePair]) -> [LinePair] {
    /// For each length, the pair that ends a row of that length with the least old index.
    var ends: [Int] = []
    var predecessors = [Int?](repeating: nil, count: pairs.count)
    for (index, pair) in pairs.enumerated() {
      var low = 0
      var high = ends.count
      while low < high {
        let middle = (low + high) / 2
        if pairs[ends[middle]].old < pair.old { low = middle + 1 } else { high = middle }
      }
      predecessors[index] = low > 0 ? ends[low - 1] : nil
      if low < ends.count { ends[low] = index } else { ends.append(index) }
    }
    var row: [LinePair] = []
    var next = ends.last
    while let index = next {
      row.append(pairs[index])
      next = predecessors[index]
    }
    return row.reversed()
  }

  // MARK: Changed lines

  private mutating func pairRuns() {
    var oldStart = 0
    var newStart = 0
    for place in 0...new.count {
      guard let origin = place < new.count ? origins[place] : old.count else { continue }
      if origin - oldStart == place - newStart {
        for index in 0..<(place - newStart) { origins[newStart + index] = oldStart + index }
      }
      oldStart = origin + 1
      newStart = place + 1
    }
  }
}

/// A line of the old text and the line of the new text that is equal to it.
struct LinePair: Equatable {
  var old: Int
  var new: Int
}
