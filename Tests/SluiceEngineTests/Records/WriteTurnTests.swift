// Threads that write to one store share transactions, and none loses or doubles anything.

import Foundation
import TestSupport
import Testing

@testable import SluiceEngine

@Suite(.timeLimit(.minutes(2)))
struct WriteTurnTests {
  /// A store that counts its transactions and can be slow or refuse.
  private final class CountingStore: OrderedStore {
    private let base = MemoryOrderedStore()
    private(set) var transactionCount = 0
    var refuses: ((_ key: [UInt8]) -> Bool)?

    func get(_ partition: Partition, _ key: [UInt8]) -> [UInt8]? { base.get(partition, key) }
    func scan(
      _ partition: Partition, _ range: KeyRange,
      _ body: (UnsafeRawBufferPointer, UnsafeRawBufferPointer) throws(DatabaseError) -> Bool
    ) throws(DatabaseError) { unsafe try base.scan(partition, range, body) }
    func put(
      _ partition: Partition, _ key: [UInt8], _ value: UnsafeRawBufferPointer
    ) throws(DatabaseError) {
      if refuses?(key) == true { throw DatabaseError(13, "full") }
      unsafe base.put(partition, key, value)
    }
    func delete(_ partition: Partition, _ key: [UInt8]) { base.delete(partition, key) }
    func delete(_ partition: Partition, _ range: KeyRange) { base.delete(partition, range) }
    func atomically<R>(_ body: () throws(DatabaseError) -> R) throws(DatabaseError) -> R {
      transactionCount += 1
      usleep(1000)
      return try base.atomically(body)
    }
    func consistently<R>(_ body: () throws(DatabaseError) -> R) throws(DatabaseError) -> R {
      try body()
    }
    func foreignChanges() -> UInt32 { 0 }
  }

  private static let threadCount = 8
  private static let writeCount = 50

  /// Has each thread write its own keys; the failures by thread.
  private func write(_ turn: WriteTurn<RecordStore>) -> [Int] {
    nonisolated(unsafe) var failures = [Int](repeating: 0, count: Self.threadCount)
    let lock = NSLock()
    let ended = DispatchSemaphore(value: 0)
    for thread in 0..<Self.threadCount {
      Thread.detachNewThread {
        for number in 0..<Self.writeCount {
          do throws(DatabaseError) {
            try turn.perform(unless: { false }) { (store) throws(DatabaseError) in
              try store.base.put(.meta, [UInt8(thread), UInt8(number)], [1])
            }
          } catch {
            lock.withLock { unsafe failures[thread] += 1 }
          }
        }
        ended.signal()
      }
    }
    for _ in 0..<Self.threadCount { ended.wait() }
    return unsafe failures
  }

  private func keyCount(_ store: any OrderedStore) throws -> Int {
    var count = 0
    try unsafe store.scan(.meta, .all) { (_, _) in
      count += 1
      return true
    }
    return count
  }

  @Test func writersShareTransactionsAndLoseNothing() throws {
    let base = CountingStore()
    let failures = write(WriteTurn(RecordStore(base, caches: true)))
    #expect(failures.allSatisfy { $0 == 0 })
    #expect(try keyCount(base) == Self.threadCount * Self.writeCount)
    #expect(base.transactionCount < Self.threadCount * Self.writeCount)
  }

  @Test func theFailureOfOneIsNotThatOfTheOthers() throws {
    let base = CountingStore()
    base.refuses = { $0.first == 3 }
    let failures = write(WriteTurn(RecordStore(base, caches: true)))
    for (thread, count) in failures.enumerated() {
      #expect(count == (thread == 3 ? Self.writeCount : 0))
    }
    #expect(try keyCount(base) == (Self.threadCount - 1) * Self.writeCount)
  }

  @Test func whoWaitsTooLongIsToldAndWritesNothing() throws {
    let base = CountingStore()
    let turn = WriteTurn(RecordStore(base, caches: true))
    _ = try turn.take { false }
    let error = #expect(throws: DatabaseError.self) {
      try turn.perform(unless: { true }) { (store) throws(DatabaseError) in
        try store.base.put(.meta, [1], [1])
      }
    }
    #expect(error?.code == 5)
    turn.giveBack()
    #expect(try keyCount(base) == 0)
    #expect(write(turn).allSatisfy { $0 == 0 })
  }

  @Test func aTurnForOneselfKeepsTheOthersWaiting() throws {
    let base = CountingStore()
    let turn = WriteTurn(RecordStore(base, caches: true))
    let store = try turn.take { false }
    let done = DispatchSemaphore(value: 0)
    Thread.detachNewThread {
      try? turn.perform(unless: { false }) { (store) throws(DatabaseError) in
        try store.base.put(.meta, [2], [1])
      }
      done.signal()
    }
    usleep(50_000)
    #expect(try store.base.get(.meta, [2]) == nil)
    turn.giveBack()
    done.wait()
    #expect(try store.base.get(.meta, [2]) == [1])
  }
}
