// A line as an entity:
//
//   {"order":"V01","text":"one"}               a line that ends with a newline
//   {"order":"V02","text":"two","end":"\r\n"}  or in another way: "\r\n", or "" for the last one
//   {"order":"V03","base64":"/w=="}            a line that is not UTF-8
//
// `order` is an OrderKey. Where two lines have the same one, their ids decide.

internal import SluiceJSON

struct LineContent: Equatable {
  var order: [UInt8]
  var text: [UInt8]
  var end: [UInt8]

  static let newline = [UInt8(ascii: "\n")]
  private static let carriageReturnAndNewline = [UInt8(ascii: "\r"), UInt8(ascii: "\n")]

  static let schema = PluginSchema(
    key: "text_line", version: "1.0",
    definition: """
      {"type":"object","properties":{"order":{"type":"string"},"text":{"type":"string"},\
      "base64":{"type":"string"},"end":{"enum":["\\n","\\r\\n",""]}},"required":["order"],\
      "additionalProperties":false}
      """)

  /// The bytes of a line, with its end.
  init(order: [UInt8], line: ArraySlice<UInt8>) {
    self.order = order
    if line.last != UInt8(ascii: "\n") {
      end = []
    } else if line.dropLast().last == UInt8(ascii: "\r") {
      end = Self.carriageReturnAndNewline
    } else {
      end = Self.newline
    }
    text = Array(line.dropLast(end.count))
  }

  /// nil if it is not written like that.
  init?(_ content: String) {
    guard let members = JSONText.members(of: content),
      let order = members["order"].flatMap(JSONText.bytes(ofString:))
    else { return nil }
    self.order = order
    switch (members["text"], members["base64"]) {
    case (let form?, nil):
      guard let text = JSONText.bytes(ofString: form) else { return nil }
      self.text = text
    case (nil, let form?):
      guard let base64 = JSONText.bytes(ofString: form),
        let text = Base64.standard.bytes(of: base64)
      else { return nil }
      self.text = text
    default: return nil
    }
    guard let form = members["end"] else {
      end = Self.newline
      return
    }
    guard let end = JSONText.bytes(ofString: form), end.count <= 2,
      end == [] || end == Self.newline || end == Self.carriageReturnAndNewline
    else { return nil }
    self.end = end
  }

  var content: String {
    var out = Array(#"{"order":"#.utf8) + JSONText.quoted(order)
    if UTF8Text.isValid(text) {
      out += Array(#","text":"#.utf8) + JSONText.quoted(text)
    } else {
      out += Array(#","base64":"\#(Base64.standard.text(of: text))""#.utf8)
    }
    if end != Self.newline { out += Array(#","end":"#.utf8) + JSONText.quoted(end) }
    out.append(UInt8(ascii: "}"))
    return String(decoding: out, as: UTF8.self)
  }

  /// What stands in the file. Only its last line may have no end.
  func line(isLast: Bool) -> [UInt8] { text + (end.isEmpty && !isLast ? Self.newline : end) }
}
