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
    before: PluginFile?, after: PluginFile, _ state: any StateReader, deadline: Int64
  ) throws(PluginError) -> [PluginEntity] {
    if let before, before.data == after.data { return [] }
    let old = before == nil ? [] : try state.entities(ofFile: after.id, plugin: key)
    let new: [PluginEntity]
    if let lines = Self.lines(of: after.data) {
      new = Self.numbered(lines, from: Self.ordered(old)).map {
        PluginEntity(
          entityID: $0.id, schemaKey: LineContent.schema.key,
          schemaVersion: LineContent.schema.version, content: $0.content.content)
      }
    } else {
      new = [try Self.whole.entity(of: after.data)]
    }
    return EntityDifference.changes(from: old, to: new) { old, new in
      if old == new { return true }
      guard let content = old.content.flatMap(LineContent.init) else { return false }
      return content == new.content.flatMap(LineContent.init)
    }
  }

  func applyChanges(
    _ file: PluginFile, _ entities: [PluginEntity], deadline: Int64
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
    var id: String
    var content: LineContent
  }

  /// In the order of the file, without entities that are no lines.
  private static func ordered(_ entities: [PluginEntity]) -> [Line] {
    entities.compactMap { entity in
      entity.content.flatMap(LineContent.init).map { Line(id: entity.entityID, content: $0) }
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

  /// The new lines with the ids and keys of those that they are, or new ones.
  private static func numbered(_ lines: [ArraySlice<UInt8>], from old: [Line]) -> [Line] {
    // Another end makes no other line.
    var contents = lines.map { LineContent(order: [], line: $0) }
    let origins = LineDifference.origins(
      of: contents.map { $0.text[...] }, in: old.map { $0.content.text[...] })
    let orders = orders(origins.map { $0.map { old[$0].content.order } })
    var ids = LineIDs(used: old.map(\.id))
    var previous = ""
    return contents.indices.map { index in
      contents[index].order = orders[index]
      let id =
        origins[index].map { old[$0].id } ?? ids.id(of: contents[index].text, after: previous)
      previous = id
      return Line(id: id, content: contents[index])
    }
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
