// The applied changes in order of application, found by hash. What an operation may name are the
// ancestors of its change; a clock tells them: for each actor how many of its changes are ancestors.

struct ChangeRecord: Sendable {
  var hash: ChangeHash
  var actor: UInt32
  var sequence: UInt32
  var startCounter: UInt32
  var firstRow: UInt32
  var operationCount: UInt32
  var dependencyStart: UInt32
  var dependencyCount: UInt32
  /// The clock of its ancestors, or `.max` when it was thrown away. It may be that of an earlier
  /// change of the same actor, so its entry for the own actor is not to be used.
  var clock: UInt32
  var time: Int64
  var message: ByteRange
  var extra: ByteRange

  var maxCounter: UInt32 { startCounter - 1 + operationCount }
  var rows: Range<Int> { Int(firstRow)..<Int(firstRow) + Int(operationCount) }
}

struct ChangeTable: Sendable {
  private(set) var records: [ChangeRecord] = []
  private var dependencyIndexes: [UInt32] = []
  /// Open addressing: the index of a change, or `.max`. A power of two, at most half full.
  private var slots: [UInt32] = Array(repeating: .max, count: 16)
  /// Odd and secret, so that nobody can choose hashes that meet in one slot.
  private let multiplier = UInt64.random(in: 0...UInt64.max) | 1

  /// Changes on which no other depends.
  private(set) var heads: [UInt32] = []

  var count: Int { records.count }

  subscript(index: UInt32) -> ChangeRecord { records[Int(index)] }

  func dependencies(of record: ChangeRecord) -> ArraySlice<UInt32> {
    let start = Int(record.dependencyStart)
    return dependencyIndexes[start..<start + Int(record.dependencyCount)]
  }

  func index(of hash: ChangeHash) -> UInt32? {
    let slot = slots[slot(for: hash)]
    return slot == .max ? nil : slot
  }

  /// Whether the dependencies include all heads, so that every applied change is an ancestor.
  func coversHeads(_ dependencies: [UInt32]) -> Bool {
    heads.allSatisfy { dependencies.contains($0) }
  }

  /// Appends a change. Its hash may come later, by `setHash`.
  mutating func append(_ record: ChangeRecord, dependencies: [UInt32]) {
    var record = record
    record.dependencyStart = UInt32(dependencyIndexes.count)
    record.dependencyCount = UInt32(dependencies.count)
    dependencyIndexes.append(contentsOf: dependencies)
    heads.removeAll { dependencies.contains($0) }
    heads.append(UInt32(records.count))
    records.append(record)
  }

  /// Makes room for so many changes in all.
  mutating func reserve(_ count: Int) {
    records.reserveCapacity(count)
    dependencyIndexes.reserveCapacity(count)
    var slotCount = slots.count
    while slotCount < count * 2 { slotCount *= 2 }
    if slotCount > slots.count { rebuild(slotCount: slotCount, count: UInt32(records.count)) }
  }

  /// Makes the change known by its hash. False if another change has it.
  mutating func setHash(_ hash: ChangeHash, of index: UInt32) -> Bool {
    let slot = slot(for: hash)
    guard slots[slot] == .max else { return false }
    records[Int(index)].hash = hash
    slots[slot] = index
    if records.count * 2 > slots.count { rebuild(slotCount: slots.count * 2, count: index + 1) }
    return true
  }

  /// Completes the record that was appended last.
  mutating func updateLast(_ body: (inout ChangeRecord) -> Void) {
    body(&records[records.count - 1])
  }

  mutating func forgetClocks() {
    for index in records.indices { records[index].clock = .max }
  }

  /// Removes the changes that came last.
  mutating func truncate(to count: Int, heads: [UInt32]) {
    self.heads = heads
    guard count < records.count else { return }
    dependencyIndexes.removeSubrange(Int(records[count].dependencyStart)...)
    records.removeSubrange(count...)
    rebuild(slotCount: slots.count, count: UInt32(count))
  }

  private func slot(for hash: ChangeHash) -> Int {
    // The upper bits of the product depend on all bits of the hash.
    let product = hash.tableBits &* multiplier
    var slot = Int(product >> UInt64(64 - slots.count.trailingZeroBitCount))
    while slots[slot] != .max, records[Int(slots[slot])].hash != hash {
      slot = (slot + 1) & (slots.count - 1)
    }
    return slot
  }

  private mutating func rebuild(slotCount: Int, count: UInt32) {
    slots = Array(repeating: .max, count: slotCount)
    for index in 0..<count { slots[slot(for: records[Int(index)].hash)] = index }
  }
}

/// Vector clocks, each as long as there were actors when it was made.
struct ClockTable: Sendable {
  /// So many entries are kept; beyond, all clocks are thrown away and made again when asked for.
  private static let entryCountMax = 1 << 24

  private var entries: [UInt32] = []
  private var starts: [UInt32] = [0, 0]

  /// The clock of no ancestors.
  static let empty: UInt32 = 0

  var count: Int { starts.count - 1 }
  var isFull: Bool { entries.count > Self.entryCountMax }

  func value(of clock: UInt32, actor: UInt32) -> UInt32 {
    let index = starts[Int(clock)] + actor
    return index < starts[Int(clock) + 1] ? entries[Int(index)] : 0
  }

  func values(of clock: UInt32) -> ArraySlice<UInt32> {
    entries[Int(starts[Int(clock)])..<Int(starts[Int(clock) + 1])]
  }

  mutating func append(_ values: [UInt32]) -> UInt32 {
    entries.append(contentsOf: values)
    starts.append(UInt32(entries.count))
    return UInt32(count - 1)
  }

  mutating func truncate(to count: Int) {
    starts.removeSubrange((count + 1)...)
    entries.removeSubrange(Int(starts[count])...)
  }

  mutating func removeAll() {
    entries = []
    starts = [0, 0]
  }
}
