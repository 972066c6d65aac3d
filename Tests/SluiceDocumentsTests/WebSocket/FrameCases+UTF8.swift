// The cases of section 6: UTF-8, whole and in fragments. The sequences are those of Markus Kuhn's
// stress test for decoders.

@testable import SluiceEngine

extension FrameCase {
  static let utf8: [FrameCase] = fragmented + failFast + sequences

  /// Five Greek letters, the second of which has three bytes.
  private static let word = bytes(ofHex: "cebae1bdb9cf83cebcceb5")
  private static let damaged: [UInt8] = word + [0xed, 0xa0, 0x80] + Array("edited".utf8)
  private static let notText = End.closed(1007)

  private static func text(_ bytes: [UInt8]) -> Answer { .message(WebSocketMessage(.text, bytes)) }

  private static var fragmented: [FrameCase] {
    let empty = clientFrame(0, [], isFinal: false)
    let sentence = Array("Hello-µ@ßöäüàá-UTF-8!!".utf8)
    return [
      FrameCase(number: "6.1.1", sent: clientFrame(1), answers: [text([])]),
      FrameCase(
        number: "6.1.2",
        sent: clientFrame(1, [], isFinal: false) + empty + clientFrame(0), answers: [text([])]),
      FrameCase(
        number: "6.1.3",
        sent: clientFrame(1, [], isFinal: false) + clientFrame(0, word, isFinal: false)
          + clientFrame(0), answers: [text(word)]),
      FrameCase(number: "6.2.1", sent: clientFrame(1, sentence), answers: [text(sentence)]),
      FrameCase(
        number: "6.2.2", sent: clientFrames(1, sentence, fragmentByteCount: 12),
        answers: [text(sentence)]),
      FrameCase(
        number: "6.2.3", sent: clientFrames(1, sentence, fragmentByteCount: 1),
        answers: [text(sentence)]),
      FrameCase(
        number: "6.2.4", sent: clientFrames(1, word, fragmentByteCount: 1), answers: [text(word)]),
      FrameCase(number: "6.3.1", sent: clientFrame(1, damaged), end: notText),
      FrameCase(
        number: "6.3.2", sent: clientFrames(1, damaged, fragmentByteCount: 1), end: notText),
    ]
  }

  /// The rest of the message never comes: the wrong byte itself must end the session.
  private static var failFast: [FrameCase] {
    let wrong: [UInt8] = [0xf4, 0x90, 0x80, 0x80]
    let begin = clientFrame(1, word, isFinal: false)
    /// The begin of a frame of 21 bytes, of which only these come.
    func partial(_ bytes: [UInt8]) -> [UInt8] {
      let whole = clientFrame(1, bytes + [UInt8](repeating: 0x20, count: 21 - bytes.count))
      return Array(whole.prefix(6 + bytes.count))
    }
    return [
      FrameCase(
        number: "6.4.1", sent: begin + clientFrame(0, wrong, isFinal: false), end: notText),
      FrameCase(
        number: "6.4.2",
        sent: clientFrame(1, word + [0xf4], isFinal: false)
          + clientFrame(0, [0x90], isFinal: false),
        end: notText),
      FrameCase(number: "6.4.3", sent: partial(word + wrong), end: notText),
      FrameCase(number: "6.4.4", sent: partial(word + [0xf4, 0x90]), end: notText),
    ]
  }

  private static var sequences: [FrameCase] {
    var cases: [FrameCase] = []
    for (section, group) in groups.enumerated() {
      for (index, payload) in group.payloads.enumerated() {
        cases.append(
          FrameCase(
            number: "6.\(section + 5).\(index + 1)", sent: clientFrame(1, payload),
            answers: group.isValid(index) ? [text(payload)] : [],
            end: group.isValid(index) ? .open : notText))
      }
    }
    return cases
  }

  private struct Group {
    var payloads: [[UInt8]]
    var isValid: @Sendable (Int) -> Bool

    init(_ isValid: Bool, _ hex: String) {
      payloads = hex.split(separator: " ").map { bytes(ofHex: String($0)) }
      self.isValid = { _ in isValid }
    }

    init(_ payloads: [[UInt8]], isValid: @escaping @Sendable (Int) -> Bool) {
      self.payloads = payloads
      self.isValid = isValid
    }
  }

  private static var groups: [Group] {
    let greetings = ["24", "c2a2", "e282ac", "f0a4ada2"].map {
      Array("hello".utf8) + bytes(ofHex: $0) + Array("world".utf8)
    }
    /// The prefixes that end where a character does.
    let whole: Set<Int> = [1, 4, 6, 8, 10]
    let ranges: [Range<UInt8>] = [
      0xc0..<0xdf, 0xe0..<0xef, 0xf0..<0xf7, 0xf8..<0xfb, 0xfc..<0xfd,
    ]
    let lonely: [[UInt8]] = ranges.map { range in range.flatMap { [$0, 0x20] } }
    let cut = "c0 e080 f08080 f8808080 fc80808080 df efbf f7bfbf fbbfbfbf fdbfbfbfbf"
    var nonCharacters: [[UInt8]] = [[0xef, 0xbf, 0xbe], [0xef, 0xbf, 0xbf]]
    for first in UInt8(0xf0)...0xf4 {
      for second: UInt8 in [0x8f, 0x9f, 0xaf, 0xbf] {
        // Overlong, or above U+10FFFF.
        if (first == 0xf0 && second == 0x8f) || (first == 0xf4 && second != 0x8f) { continue }
        nonCharacters += [[first, second, 0xbf, 0xbe], [first, second, 0xbf, 0xbf]]
      }
    }
    return [
      Group(greetings + [word], isValid: { _ in true }),
      Group((1...word.count).map { Array(word[..<$0]) }, isValid: { whole.contains($0) }),
      Group(true, "00 c280 e0a080 f0908080"),
      Group(false, "f888808080 fc8480808080"),
      Group(true, "7f dfbf efbfbf f48fbfbf"),
      Group(false, "f7bfbfbf fbbfbfbfbf fdbfbfbfbfbf"),
      Group(
        ["ed9fbf", "ee8080", "efbfbd", "f48fbfbf", "f4908080"].map { bytes(ofHex: $0) },
        isValid: { $0 < 4 }),
      Group(
        ["80", "bf", "80bf", "80bf80", "80bf80bf", "80bf80bf80", "80bf80bf80bf"].map {
          bytes(ofHex: $0)
        } + [[UInt8](0x80..<0xbf)], isValid: { _ in false }),
      Group(lonely, isValid: { _ in false }),
      Group(false, cut),
      Group(false, cut.filter { $0 != " " }),
      Group(false, "fe ff fefeffff"),
      Group(false, "c0af e080af f08080af f8808080af fc80808080af"),
      Group(false, "c1bf e09fbf f08fbfbf f887bfbfbf fc83bfbfbfbf"),
      Group(false, "c080 e08080 f0808080 f880808080 fc8080808080"),
      Group(false, "eda080 edadbf edae80 edafbf edb080 edbe80 edbfbf"),
      Group(
        false,
        "eda080edb080 eda080edbfbf edadbfedb080 edadbfedbfbf edae80edb080 edae80edbfbf "
          + "edafbfedb080 edafbfedbfbf"),
      Group(nonCharacters, isValid: { _ in true }),
      Group(true, "efbfb9 efbfba efbfbb efbfbc efbfbd efbfbe efbfbf"),
    ]
  }
}
