// What every ordered store has to do, tried on SQLite's and on the model.

import TestSupport
import Testing

@testable import SluiceEngine

struct OrderedStoreTests {
  private static func sqlite() throws -> SQLiteStore {
    try SQLiteStore(
      path: Connection.memoryPath, at: .host, mode: .create, busyMilliseconds: 100)
  }

  private static var stores: [any OrderedStore] {
    get throws { [MemoryOrderedStore(), try sqlite()] }
  }

  private func keys(
    _ store: any OrderedStore, _ range: KeyRange = .all, limit: Int = .max
  ) throws -> [[UInt8]] {
    var found: [[UInt8]] = []
    try unsafe store.scan(.transactions, range) { (key, _) in
      unsafe found.append(Array(key))
      return found.count < limit
    }
    return found
  }

  @Test func keysAreOrderedAsBytes() throws {
    let inOrder: [[UInt8]] = [
      [], [0], [0, 0], [0, 255], [1], [1, 0], [127], [128], [255], [255, 0],
    ]
    for store in try Self.stores {
      try store.atomically { () throws(DatabaseError) in
        for key in inOrder.shuffled() { try store.put(.transactions, key, key) }
      }
      #expect(try keys(store) == inOrder)
      #expect(try keys(store, limit: 3) == Array(inOrder[..<3]))
    }
  }

  @Test func aRangeHasItsStartAndNotItsEnd() throws {
    for store in try Self.stores {
      try store.atomically { () throws(DatabaseError) in
        for key: UInt8 in 0..<10 { try store.put(.transactions, [key], [key]) }
      }
      #expect(try keys(store, KeyRange(from: [3], to: [6])) == [[3], [4], [5]])
      #expect(try keys(store, KeyRange(from: [8], to: nil)) == [[8], [9]])
      #expect(try keys(store, KeyRange(from: [6], to: [6])).isEmpty)
      #expect(try keys(store, KeyRange(from: [6], to: [3])).isEmpty)
    }
  }

  @Test func aPrefixHasAllThatBeginWithIt() throws {
    let keys: [[UInt8]] = [[1], [1, 255], [1, 255, 255], [2], [255], [255, 255], [255, 255, 3]]
    for store in try Self.stores {
      try store.atomically { () throws(DatabaseError) in
        for key in keys { try store.put(.transactions, key, key) }
      }
      for prefix: [UInt8] in [[], [1], [1, 255], [255], [255, 255], [3]] {
        #expect(
          try self.keys(store, KeyRange(prefix: prefix)) == keys.filter { $0.starts(with: prefix) })
      }
    }
  }

  @Test func aPartitionKnowsNothingOfTheOthers() throws {
    for store in try Self.stores {
      try store.atomically { () throws(DatabaseError) in
        for partition in Partition.allCases {
          try store.put(partition, [7], Array(partition.name.utf8))
        }
      }
      for partition in Partition.allCases {
        #expect(try store.get(partition, [7]) == Array(partition.name.utf8))
      }
    }
  }

  private struct Stop: Error {}

  @Test func whatFailsChangesNothing() throws {
    for store in try Self.stores {
      try store.atomically { () throws(DatabaseError) in try store.put(.transactions, [1], [1]) }
      #expect(throws: DatabaseError.self) {
        try store.atomically { () throws(DatabaseError) in
          try store.put(.transactions, [1], [2])
          try store.put(.transactions, [2], [2])
          try store.delete(.transactions, KeyRange.all)
          throw DatabaseError(1, "enough")
        }
      }
      #expect(try store.get(.transactions, [1]) == [1])
      #expect(try keys(store) == [[1]])
    }
  }

  @Test func aScanMayReadTheSamePartition() throws {
    for store in try Self.stores {
      try store.atomically { () throws(DatabaseError) in
        for key: UInt8 in 0..<5 { try store.put(.transactions, [key], [key]) }
      }
      var sums: [Int] = []
      try unsafe store.scan(.transactions, .all) { (_, value) throws(DatabaseError) in
        var sum = unsafe Int(value[0])
        try unsafe store.scan(.transactions, .all) { (_, value) throws(DatabaseError) in
          unsafe sum += Int(try store.get(.transactions, [value[0]])![0])
          return true
        }
        sums.append(sum)
        return true
      }
      #expect(sums == [10, 11, 12, 13, 14])
    }
  }

  /// Random steps do the same to both.
  @Test func sqliteDoesWhatTheModelDoes() throws {
    let model = MemoryOrderedStore()
    let store = try Self.sqlite()
    var random = SeededRandom(for: #function)
    func key() -> [UInt8] {
      (0..<Int.random(in: 0...3, using: &random)).map { _ in
        [0, 1, 127, 255].randomElement(using: &random)!
      }
    }
    for _ in 0..<2000 {
      let partition = [Partition.transactions, .meta, .deleted].randomElement(using: &random)!
      let first = key()
      let second = key()
      let value = (0..<Int.random(in: 0...40, using: &random)).map { _ in
        UInt8.random(in: 0...255, using: &random)
      }
      let step = Int.random(in: 0..<5, using: &random)
      let range = KeyRange(from: first, to: Bool.random(using: &random) ? second : nil)
      for store in [model, store] as [any OrderedStore] {
        try store.atomically { () throws(DatabaseError) in
          switch step {
          case 0, 1, 2: try store.put(partition, first, value)
          case 3: try store.delete(partition, first)
          default: try store.delete(partition, range)
          }
        }
      }
      for partition in [Partition.transactions, .deleted] {
        var found: [[[UInt8]]] = []
        for store in [model, store] as [any OrderedStore] {
          var rows: [[UInt8]] = []
          try unsafe store.scan(partition, range) { (key, value) in
            unsafe rows.append(Array(key) + Array(value))
            return true
          }
          found.append(rows)
        }
        try #require(found[0] == found[1])
        #expect(try model.get(partition, first) == store.get(partition, first))
      }
    }
  }
}
