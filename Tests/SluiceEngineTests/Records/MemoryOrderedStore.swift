// An ordered store in a sorted array: what SQLiteStore is compared with, and the proof that another
// store could take its place.

@testable import SluiceEngine

final class MemoryOrderedStore: OrderedStore {
  private typealias Row = (key: [UInt8], value: [UInt8])
  private var partitions: [Partition: [Row]] = [:]

  private func place(_ partition: Partition, _ key: [UInt8]) -> (index: Int, isThere: Bool) {
    let rows = partitions[partition, default: []]
    let index = rows.firstIndex { !$0.key.lexicographicallyPrecedes(key) } ?? rows.count
    return (index, index < rows.count && rows[index].key == key)
  }

  func get(_ partition: Partition, _ key: [UInt8]) -> [UInt8]? {
    let (index, isThere) = place(partition, key)
    return isThere ? partitions[partition]?[index].value : nil
  }

  func scan(
    _ partition: Partition, _ range: KeyRange,
    _ body: (UnsafeRawBufferPointer, UnsafeRawBufferPointer) throws(DatabaseError) -> Bool
  ) throws(DatabaseError) {
    for row in partitions[partition, default: []] where contains(row.key, range) {
      let result: Result<Bool, DatabaseError> = unsafe row.key.withUnsafeBytes { key in
        unsafe row.value.withUnsafeBytes { value in
          do throws(DatabaseError) { return unsafe .success(try body(key, value)) } catch {
            return .failure(error)
          }
        }
      }
      guard try result.get() else { return }
    }
  }

  private func contains(_ key: [UInt8], _ range: KeyRange) -> Bool {
    if key.lexicographicallyPrecedes(range.start) { return false }
    return range.end.map { key.lexicographicallyPrecedes($0) } ?? true
  }

  func put(_ partition: Partition, _ key: [UInt8], _ value: UnsafeRawBufferPointer) {
    let (index, isThere) = place(partition, key)
    if isThere {
      unsafe partitions[partition]?[index].value = Array(value)
    } else {
      unsafe partitions[partition, default: []].insert((key, Array(value)), at: index)
    }
  }

  func delete(_ partition: Partition, _ key: [UInt8]) {
    partitions[partition]?.removeAll { $0.key == key }
  }

  func delete(_ partition: Partition, _ range: KeyRange) {
    partitions[partition]?.removeAll { contains($0.key, range) }
  }

  func atomically<R>(_ body: () throws(DatabaseError) -> R) throws(DatabaseError) -> R {
    let before = partitions
    do throws(DatabaseError) { return try body() } catch {
      partitions = before
      throw error
    }
  }

  func consistently<R>(_ body: () throws(DatabaseError) -> R) throws(DatabaseError) -> R {
    try body()
  }

  func foreignChanges() -> UInt32 { 0 }
}
