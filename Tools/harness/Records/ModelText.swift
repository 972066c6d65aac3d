// JSON texts whose meaning is known, because they were made from it: the model reads none.

internal import ToolSupport

/// A transaction as it is sent, and what a store has to find in it.
struct ModelTransaction: Equatable {
  var text: [UInt8]
  /// The length of its changes, in UTF-16 code units.
  var size: UInt64 = 0
  /// The keys that it sets, if it is a trusting one; in their order.
  var keys: [String] = []
  /// Whether a store takes it.
  var isSound = true
}

extension ModelTransaction {
  /// Pieces of a string in JSON, with their lengths in UTF-16.
  private static let pieces: [(text: String, size: UInt64)] = [
    ("a", 1), ("é", 1), ("漢", 1), ("😀", 2), (#"\""#, 1), (#"\\"#, 1), (#"\/"#, 1), (#"\n"#, 1),
    (#"\u00e9"#, 1), (#"\ud83d\ude00"#, 2), (#"\ud800"#, 1), (#"\udc00\ud800"#, 2), (#"\u0000"#, 1),
    ("\u{2028}", 1), ("\u{7f}", 1), (#"\uD83D"#, 1), ("ab cd", 5),
  ]
  private static let unsound = [
    "", "{", "[]", "null", #"{"changes":1}"#, #"{"privacy":"private","changes":"a"}"#,
    #"{"changes":"a"} x"#, #"{"changes":"\x"}"#, #"{"changes":"a",}"#, #"{"changes":"\u12"}"#,
    "{\"changes\":\"\u{1}\"}", #"{"privacy":"trusting","changes":null}"#,
  ]

  /// Any transaction: private, or trusting without keys.
  static func random(_ random: inout SplitMix64) -> ModelTransaction {
    if random.once(in: 60) {
      let text = unsound[random.below(unsound.count)]
      return ModelTransaction(text: Array(text.utf8), isSound: false)
    }
    var changes = ""
    var size: UInt64 = 0
    for _ in 0..<random.below(random.once(in: 10) ? 200 : 8) {
      let piece = pieces[random.below(pieces.count)]
      changes += piece.text
      size += piece.size
    }
    let isPrivate = random.once(in: 2)
    var members = [
      "\"privacy\":\"\(isPrivate ? "private" : "trusting")\"", "\"madeAt\":1767323045000",
      "\"\(isPrivate ? "encryptedChanges" : "changes")\":\"\(changes)\"",
    ]
    if random.once(in: 3) { members.append(#""meta":"[{\"changes\":\"no\"}]""#) }
    if random.once(in: 4) { members.append(#""other":{"changes":["x",{}],"n":-1.5e+3}"#) }
    if random.once(in: 3) { members.swapAt(0, members.count - 1) }
    let blank = random.once(in: 5) ? " \n" : ""
    let text = "{\(blank)" + members.joined(separator: ",\(blank)") + "\(blank)}"
    return ModelTransaction(text: Array(text.utf8), size: size)
  }

  /// A trusting transaction of a group that sets these keys, and does other things.
  static func setting(_ keys: [String], _ random: inout SplitMix64) -> ModelTransaction {
    var changes = keys.map { #"{"op":"set","key":"\#($0)","value":"admin"}"# }
    if random.once(in: 3) { changes.append(#"{"op":"del","key":"co_zV1"}"#) }
    if random.once(in: 3) { changes.insert(#"{"key":"co_zV2","value":[{"op":"set"}]}"#, at: 0) }
    if random.once(in: 4) { changes.append(#"[1,null,"co_zV3"]"#) }
    if random.once(in: 4) { changes.append(#"{"op":"set","key":5}"#) }
    let inner = "[" + changes.joined(separator: ",") + "]"
    let quoted = inner.replacing("\"", with: "\\\"")
    let text = #"{"privacy":"trusting","madeAt":7,"changes":"\#(quoted)"}"#
    return ModelTransaction(
      text: Array(text.utf8), size: UInt64(inner.utf16.count), keys: keys)
  }
}

/// A header as it is sent, and what a load has to find in it.
struct ModelHeader: Equatable {
  var text: [UInt8]
  var isGroup = false
  var priority: UInt8 = 3
  /// The values that it names, in order.
  var named: [String] = []
  var isSound = true

  static func random(_ random: inout SplitMix64, naming id: (inout SplitMix64) -> String)
    -> ModelHeader
  {
    if random.once(in: 80) {
      let texts = ["", "[]", "{", #"{"type":"comap"}}"#, "7"]
      return ModelHeader(text: Array(texts[random.below(texts.count)].utf8), isSound: false)
    }
    let number = random.below(1000)
    func text(_ type: String, _ ruleset: String, _ meta: String) -> [UInt8] {
      Array(
        """
        {"type":"\(type)","ruleset":\(ruleset),"meta":\(meta),"uniqueness":"z\(number)",\
        "createdAt":null,"x":[{"type":"account"}]}
        """.utf8)
    }
    let free = #"{"type":"unsafeAllowAll"}"#
    switch random.below(6) {
    case 0:
      return ModelHeader(
        text: text("comap", #"{"type":"group","initialAdmin":"co_zV0"}"#, "null"), isGroup: true,
        priority: 0)
    case 1, 2:
      let group = id(&random)
      var header = ModelHeader(text: [], named: [group])
      var meta = "null"
      if random.once(in: 3) {
        let source = id(&random)
        meta = #"{"source":"\#(source)"}"#
        header.named.append(source)
      }
      header.text = text("comap", #"{"type":"ownedByGroup","group":"\#(group)"}"#, meta)
      return header
    case 3:
      return ModelHeader(
        text: text("comap", free, #"{"type":"account","n":1}"#), priority: 0)
    case 4:
      return ModelHeader(text: text("costream", free, #"{"type":"binary"}"#), priority: 6)
    default: return ModelHeader(text: text("colist", free, #"{"type":"binary"}"#))
    }
  }
}
