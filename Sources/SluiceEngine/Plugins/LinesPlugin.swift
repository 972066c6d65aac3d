// Text files: one entity a line (LineContent.swift), and back to the byte.
//
// A line keeps its id as long as it stays the same line (LineDifference.swift). A new line's id is
// made of its text and of the line before it. So the same insertion in two versions is one line
// after a merge, and two insertions at one place are two.
//
// A file of more than 250,000 lines is one entity with its bytes: schema text_bytes.

internal import SluiceSystem

final class LinesPlugin: Plugin {
  let key = "lines"
  let globs = [
    "*.txt", "*.md", "*.csv", "*.tsv", "*.log", "*.ini", "*.conf", "*.cfg", "*.toml", "*.yaml",
    "*.yml",
  ]
  let canBuild = true
  let schemas = [LineContent.schema, whole.schema]

  private static let whole = WholeContent(schemaKey: "text_bytes", plugin: "lines")
  private static let lineCountMaximum = 250_000
  /// Beyond this, all lines get new keys.
  private static let orderByteCountMaximum = 100

  func detectChanges(
    before: PluginFile?, after: PluginFile, _ state: any StateReader,
    _ interruption: Interruption
  ) throws(PluginError) -> [PluginEntity] {
    if let before, before.data == after.data { return [] }
    let old = before == nil ? [] : try state.entities(ofFile: after.id, plugin: key)
    guard let lines = Self.lines(of: after.data) else {
      let whole = try Self.whole.entity(of: after.data)
      return EntityDifference.changes(from: old, to: [whole]) { $0 == $1 }
    }
    return Self.changes(from: old, to: lines)
  }

  func applyChanges(
    _ file: PluginFile, _ entities: [PluginEntity], _ interruption: Interruption
  ) throws(PluginError) -> [UInt8] {
    if let bytes = try Self.whole.bytes(in: entities) { return bytes }
    let lines = Self.ordered(entities)
    if lines.count < entities.count,
      let wrong = entities.first(where: { $0.content.flatMap(LineContent.init) == nil })
    {
      throw PluginError(
        message: "plugin lines: the content of entity \(wrong.entityID) is not "
          + #"{"order":…,"text":…}, with "base64" instead of "text" if it is not UTF-8, and with "#
          + #"an "end" of "\n", "\r\n" or ""; write it like that"#)
    }
    return lines.enumerated().flatMap { index, line in
      line.content.line(isLast: index == lines.count - 1)
    }
  }

  // MARK: The lines that are there

  private struct Line {
    /// Among the entities.
    var index: Int
    var id: String
    var content: LineContent
  }

  /// In the order of the file, without entities that are no lines.
  private static func ordered(_ entities: [PluginEntity]) -> [Line] {
    entities.enumerated().compactMap { index, entity in
      entity.content.flatMap(LineContent.init).map {
        Line(index: index, id: entity.entityID, content: $0)
      }
    }.sorted { one, other in
      one.content.order != other.content.order
        ? one.content.order.lexicographicallyPrecedes(other.content.order)
        : one.id.utf8.lexicographicallyPrecedes(other.id.utf8)
    }
  }

  // MARK: The new lines

  /// Each with its end; nil if there are too many.
  private static func lines(of data: [UInt8]) -> [ArraySlice<UInt8>]? {
    var lines: [ArraySlice<UInt8>] = []
    var rest = data[...]
    while let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
      guard lines.count < lineCountMaximum else { return nil }
      lines.append(rest[...end])
      rest = rest[(end + 1)...]
    }
    if !rest.isEmpty { lines.append(rest) }
    return lines
  }

  private static func changes(
    from old: [PluginEntity], to lines: [ArraySlice<UInt8>]
  ) -> [PluginEntity] {
    let oldLines = ordered(old)
    var new = lines.map { LineContent(order: [], line: $0) }
    // Another end makes no other line.
    let origins = LineDifference.origins(
      of: new.map { $0.text[...] }, in: oldLines.map { $0.content.text[...] })
    let orders = orders(origins.map { $0.map { oldLines[$0].content.order } })
    var ids = LineIDs(used: old.map(\.entityID))
    var isKept = [Bool](repeating: false, count: old.count)
    var changes: [PluginEntity] = []
    var previous = ""
    for index in new.indices {
      new[index].order = orders[index]
      let origin = origins[index].map { oldLines[$0] }
      let id = origin?.id ?? ids.id(of: new[index].text, after: previous)
      previous = id
      if let origin { isKept[origin.index] = true }
      if origin?.content == new[index] { continue }
      changes.append(
        PluginEntity(
          entityID: id, schemaKey: LineContent.schema.key,
          schemaVersion: LineContent.schema.version, content: new[index].content))
    }
    for (index, var entity) in old.enumerated() where !isKept[index] {
      entity.content = nil
      changes.append(entity)
    }
    return changes
  }

  /// The keys of all lines, from those of the old ones (nil for a new line).
  private static func orders(_ kept: [[UInt8]?]) -> [[UInt8]] {
    var orders: [[UInt8]] = []
    orders.reserveCapacity(kept.count)
    /// How many lines wait for keys.
    var waiting = 0
    for key in kept {
      guard let key else {
        waiting += 1
        continue
      }
      guard OrderKey.isValid(key) else { return OrderKey.keys(kept.count, between: nil, and: nil) }
      // A line that has the key of the line before it leaves no room for those between.
      if waiting > 0, let last = orders.last, !last.lexicographicallyPrecedes(key) {
        waiting += 1
        continue
      }
      if waiting > 0 { orders += OrderKey.keys(waiting, between: orders.last, and: key) }
      orders.append(key)
      waiting = 0
    }
    if waiting > 0 { orders += OrderKey.keys(waiting, between: orders.last, and: nil) }
    return orders.allSatisfy { $0.count <= orderByteCountMaximum }
      ? orders : OrderKey.keys(kept.count, between: nil, and: nil)
  }
}

/// The ids of new lines: a number made of what the line is and where it stands.
private struct LineIDs {
  private var used: Set<String>

  init(used: [String]) { self.used = Set(used) }

  mutating func id(of line: [UInt8], after previous: String) -> String {
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    func mix(_ bytes: some Sequence<UInt8>) {
      // FNV-1a.
      for byte in bytes { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
    }
    mix(previous.utf8)
    mix([0])
    mix(line)
    while true {
      let digits = String(hash, radix: 16)
      let id = String(repeating: "0", count: 16 - digits.count) + digits
      if used.insert(id).inserted { return id }
      mix([1])
    }
  }
}
