// JSON of a view, whole or from one object on. Objects wait on a list of this function, not on the
// stack.

extension View {
  /// The JSON of what stands at the end of a path; nil if the path leads nowhere.
  ///
  /// Numbers are written with all their digits. Bytes and unknown values become arrays of numbers,
  /// timestamps milliseconds, numbers that JSON has not (infinity, NaN) null. Of conflicts the winner
  /// is shown.
  public func json(at path: some Sequence<Step> = EmptyCollection<Step>()) -> String? {
    value(at: path).map { json(of: $0) }
  }

  /// The JSON of a value.
  public func json(of value: Value) -> String {
    var writer = JSONText(view: self)
    writer.write(value)
    return String(decoding: writer.bytes, as: UTF8.self)
  }
}

private struct JSONText {
  let view: View
  var bytes: [UInt8] = []

  /// An object of which some entries are written.
  private struct Open {
    /// Keys of a map count, those of a list do not.
    var rows: [(key: UInt32, winner: UInt32)]
    var next = 0
    var isMap: Bool
  }

  init(view: View) { self.view = view }

  mutating func write(_ value: Value) {
    guard case .object(_, let object) = value else {
      if case .scalar(let scalar) = value { write(scalar) }
      return
    }
    guard let slot = view.slot(of: object) else { return }
    var stack: [Open] = []
    begin(slot, &stack)
    while var open = stack.popLast() {
      guard open.next < open.rows.count else {
        bytes.append(UInt8(ascii: open.isMap ? "}" : "]"))
        continue
      }
      if open.next > 0 { bytes.append(UInt8(ascii: ",")) }
      let (key, winner) = open.rows[open.next]
      if open.isMap {
        writeText(view.store.keys.ranges[Int(key)].range, of: view.store.contents)
        bytes.append(UInt8(ascii: ":"))
      }
      open.next += 1
      stack.append(open)
      let row = view.store.rows[Int(winner)]
      if Action.makesObject(row.action) {
        begin(row.valueStart, &stack)
      } else if row.valueCode == ValueCode.text {
        writeText(row.value.range, of: view.store.contents)
      } else {
        write(view.scalar(of: winner))
      }
    }
  }

  /// Writes a text at once, and lets other objects wait for their entries.
  private mutating func begin(_ slot: UInt32, _ stack: inout [Open]) {
    switch view.store.objects[Int(slot)].kind {
    case .text:
      var text: [UInt8] = []
      view.appendText(of: slot, to: &text)
      writeText(text.indices, of: text)
    case .list:
      var rows: [(key: UInt32, winner: UInt32)] = []
      view.forEachElement(of: slot) { _, register in
        rows.append((0, register.winner!))
        return true
      }
      bytes.append(UInt8(ascii: "["))
      stack.append(Open(rows: rows, isMap: false))
    case .map, .table:
      bytes.append(UInt8(ascii: "{"))
      stack.append(Open(rows: view.propertyRows(of: slot), isMap: true))
    }
  }

  private mutating func write(_ scalar: ScalarValue) {
    switch scalar {
    case .null: bytes.append(contentsOf: "null".utf8)
    case .bool(let value): bytes.append(contentsOf: (value ? "true" : "false").utf8)
    case .int(let value), .counter(let value), .timestamp(let value):
      bytes.append(contentsOf: String(value).utf8)
    case .uint(let value): bytes.append(contentsOf: String(value).utf8)
    case .double(let value):
      bytes.append(contentsOf: (value.isFinite ? "\(value)" : "null").utf8)
    case .text(let value):
      let text = Array(value.utf8)
      writeText(text.indices, of: text)
    case .bytes(let value), .unknown(_, let value):
      bytes.append(UInt8(ascii: "["))
      for (index, byte) in value.enumerated() {
        if index > 0 { bytes.append(UInt8(ascii: ",")) }
        bytes.append(contentsOf: String(byte).utf8)
      }
      bytes.append(UInt8(ascii: "]"))
    }
  }

  /// Copies what stands between characters that must be escaped.
  private mutating func writeText(_ range: Range<Int>, of source: [UInt8]) {
    bytes.append(UInt8(ascii: "\""))
    var start = range.lowerBound
    for index in range {
      let byte = source[index]
      if byte >= 0x20, byte != UInt8(ascii: "\""), byte != UInt8(ascii: "\\") { continue }
      bytes.append(contentsOf: source[start..<index])
      start = index + 1
      switch byte {
      case UInt8(ascii: "\""), UInt8(ascii: "\\"):
        bytes.append(UInt8(ascii: "\\"))
        bytes.append(byte)
      case UInt8(ascii: "\n"): bytes.append(contentsOf: "\\n".utf8)
      case UInt8(ascii: "\r"): bytes.append(contentsOf: "\\r".utf8)
      case UInt8(ascii: "\t"): bytes.append(contentsOf: "\\t".utf8)
      default: bytes.append(contentsOf: "\\u00\(hexText([byte]))".utf8)
      }
    }
    bytes.append(contentsOf: source[start..<range.upperBound])
    bytes.append(UInt8(ascii: "\""))
  }
}
