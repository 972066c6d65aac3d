// The eight locks of a WAL index by themselves, against a table of each holder's locks.

import SluiceChannel
import SluiceSystem
import TestSupport
import Testing

@testable import SluiceFiles

struct WALLockTests {
  private enum Way { case shared, alone }

  /// A row for each holder.
  private typealias Table = [[Int: Way]]

  private static let holderCount = 5

  @Test func randomStepsAgreeWithATable() throws {
    var random = SeededRandom(for: "WALLockTests.randomStepsAgreeWithATable")
    var table = Table(repeating: [:], count: Self.holderCount)
    var locks = WALLocks()
    var own = [WALMembership](repeating: WALMembership(), count: Self.holderCount)
    var counts: [String: Int] = [:]
    var trace: [String] = []
    for _ in 0..<20_000 {
      let holder = Int.random(in: 0..<Self.holderCount, using: &random)
      let first = Int.random(in: 0..<8, using: &random)
      let count = [1, 1, 1, 2, 5, 8].randomElement(using: &random)!
      let range = first..<min(first + count, 8)
      let bits = WALLocks.set(range).walIndexBits
      #expect((0..<8).allSatisfy { (bits >> $0 & 1 == 1) == range.contains($0) })
      let answer: String
      switch Int.random(in: 0..<10, using: &random) {
      case 0..<3:
        let isRefused = range.contains { others($0, nil, table).contains(.alone) }
        try #require(locks.isOneHeldAlone(range) == isRefused, "\(trace.suffix(20))")
        answer = isRefused ? "no share" : "share"
        if isRefused { break }
        for lock in range {
          locks.share(lock, &own[holder])
          table[holder][lock] = .shared
        }
      case 3..<5:
        let isAllowed = range.allSatisfy {
          table[holder][$0] == .alone
            || table[holder][$0] == nil && others($0, holder, table).isEmpty
        }
        try #require(locks.mayHoldAlone(range, own[holder]) == isAllowed, "\(trace.suffix(20))")
        answer = isAllowed ? "alone" : "not alone"
        if !isAllowed { break }
        locks.holdAlone(range, &own[holder])
        for lock in range { table[holder][lock] = .alone }
      case 5..<8:
        answer = "release"
        if Bool.random(using: &random) {
          locks.release(bits: bits, &own[holder])
        } else {
          for lock in range {
            try #require(locks.release(lock, &own[holder]) == (table[holder][lock] != nil))
          }
        }
        for lock in range { table[holder][lock] = nil }
      case 8:
        answer = "keep alone"
        for lock in range where table[holder][lock] != nil {
          if others(lock, holder, table).isEmpty { table[holder][lock] = .alone }
        }
        let kept = range.filter { table[holder][$0] == .alone }.reduce(0) { $0 | 1 << $1 }
        try #require(
          locks.keepAlone(bits: bits, &own[holder]) == UInt8(kept), "\(trace.suffix(20))")
      default:
        answer = "share again"
        locks.shareAgain(bits: bits, &own[holder])
        for lock in range where table[holder][lock] != nil { table[holder][lock] = .shared }
      }
      counts[answer, default: 0] += 1
      trace.append("\(holder): \(range) \(answer)")
      try compare(locks, own, table, trace)
    }
    #expect(counts.count == 7 && counts.values.allSatisfy { $0 > 50 }, "\(counts)")
  }

  /// In which ways holders other than one hold a lock.
  private func others(_ lock: Int, _ holder: Int?, _ table: Table) -> [Way] {
    table.indices.filter { $0 != holder }.compactMap { table[$0][lock] }
  }

  private func compare(
    _ locks: WALLocks, _ own: [WALMembership], _ table: Table, _ trace: [String]
  ) throws {
    let ways = (0..<8).map { others($0, nil, table) }
    try #require(ways.allSatisfy { $0 == [.alone] || !$0.contains(.alone) })
    try #require((0..<8).map(locks.holderCount) == ways.map(\.count), "\(trace.suffix(20))")
    let kinds = ways.map { ways -> ByteRangeLock in
      ways.isEmpty ? .none : ways[0] == .alone ? .exclusive : .shared
    }
    try #require((0..<8).map(locks.kindOnFile) == kinds, "\(trace.suffix(20))")
    let areAlone = (0..<8).map { locks.isOneHeldAlone(UInt8(1) << $0) }
    try #require(areAlone == ways.map { $0 == [.alone] }, "\(trace.suffix(20))")
    try #require(locks.isWriteTaken == ways[0].contains(.alone))
    for holder in table.indices {
      let shared = table[holder].filter { $0.value == .shared }.keys.reduce(0) { $0 | 1 << $1 }
      let alone = table[holder].filter { $0.value == .alone }.keys.reduce(0) { $0 | 1 << $1 }
      let expected = WALMembership(shared: UInt8(shared), exclusive: UInt8(alone))
      try #require(own[holder] == expected, "\(holder): \(trace.suffix(20))")
      try #require((0..<8).map(own[holder].holds) == (0..<8).map { table[holder][$0] != nil })
      // A holder that waits to have a lock alone does not have it alone already.
      let awaitable = (0..<8).filter { table[holder][$0] != .alone }
      try #require(
        awaitable.map { locks.areTaken(1 << $0, besides: own[holder]) }
          == awaitable.map { !others($0, holder, table).isEmpty }, "\(trace.suffix(20))")
    }
  }
}
