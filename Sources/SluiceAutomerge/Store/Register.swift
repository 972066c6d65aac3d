// What stands at a key or element: usually one operation, several in a conflict, none once deleted.

/// The visible operations in ascending Lamport order. The last one is the winner.
struct Register: Sendable {
  private var first = UInt32.max
  private var others: [UInt32] = []

  init() {}

  init(_ row: UInt32) { first = row }

  var isEmpty: Bool { first == .max }
  var count: Int { isEmpty ? 0 : 1 + others.count }
  var winner: UInt32? { others.last ?? (isEmpty ? nil : first) }
  var rows: [UInt32] { isEmpty ? [] : [first] + others }

  mutating func insert(_ row: UInt32, _ rows: [OperationRow], _ ranks: [UInt32]) {
    if isEmpty {
      first = row
      return
    }
    var all = self.rows
    let place = all.firstIndex { LamportOrder.precedes(row, $0, rows, ranks) } ?? all.count
    all.insert(row, at: place)
    self = Register(sorted: all)
  }

  mutating func remove(_ row: UInt32) {
    if first == row, others.isEmpty {
      first = .max
    } else if !isEmpty {
      self = Register(sorted: self.rows.filter { $0 != row })
    }
  }

  /// The rows must be in ascending Lamport order.
  init(sorted rows: [UInt32]) {
    first = rows.first ?? .max
    others = rows.count > 1 ? Array(rows[1...]) : []
  }
}
