// The bodies of frames between the engine and a plugin's process (CPlugin.h), built and taken apart.
// What is taken apart comes from code of strangers: each size is checked against what is there.

internal import CPlugin
internal import SluiceJSON

/// A body for a plugin's process, whose texts end with a zero byte.
struct PluginMessage {
  private(set) var bytes: [UInt8] = []

  static let byteCountMaximum = 512 << 20

  mutating func append(_ number: Int) {
    let number = UInt32(number)
    for shift: UInt32 in [0, 8, 16, 24] { bytes.append(UInt8(truncatingIfNeeded: number >> shift)) }
  }

  mutating func append(_ text: some Collection<UInt8>) {
    append(text.count)
    bytes.append(contentsOf: text)
    bytes.append(0)
  }

  mutating func append(_ text: String?) {
    guard let text else { return append(Int(CPLUGIN_NONE)) }
    append(text.utf8)
  }

  mutating func append(_ file: PluginFile) {
    append(file.id)
    append(file.path)
    append(file.metadata)
    append(file.isHidden ? 1 : 0)
    append(file.data)
  }

  mutating func append(_ entities: [PluginEntity]) {
    append(entities.count)
    for entity in entities {
      append(entity.entityID)
      append(entity.schemaKey)
      append(entity.schemaVersion)
      append(entity.content)
    }
  }

  mutating func append(rows: [[String?]]) {
    append(rows.count)
    append(rows.first?.count ?? 0)
    for value in rows.joined() { append(value) }
  }
}

/// Takes a body apart. Each call gives nil where the body is not what it should be.
struct PluginMessageReader {
  private var rest: ArraySlice<UInt8>

  init(_ bytes: [UInt8]) { rest = bytes[...] }

  var isAtEnd: Bool { rest.isEmpty }

  mutating func number() -> Int? {
    guard rest.count >= 4 else { return nil }
    let number = rest.prefix(4).reversed().reduce(0) { $0 << 8 | Int($1) }
    rest = rest.dropFirst(4)
    return number
  }

  /// A text, which may be none: `.some(nil)`.
  mutating func optionalText() -> String?? {
    guard let count = number() else { return nil }
    if count == Int(CPLUGIN_NONE) { return .some(nil) }
    guard count <= rest.count else { return nil }
    let bytes = rest.prefix(count)
    rest = rest.dropFirst(count)
    guard UTF8Text.isValid(bytes), !bytes.contains(0) else { return nil }
    return String(decoding: bytes, as: UTF8.self)
  }

  mutating func text() -> String? { optionalText() ?? nil }

  /// Texts until the end.
  mutating func texts() -> [String]? {
    var texts: [String] = []
    while !isAtEnd {
      guard let text = text() else { return nil }
      texts.append(text)
    }
    return texts
  }
}
