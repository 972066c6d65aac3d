// Regular expressions: ECMAScript's meaning, in linear time.

import TestSupport
import Testing

@testable import SluiceEngine

@Suite struct PatternTests {
  private func matches(_ pattern: String, _ text: String) throws -> Bool? {
    var meter = StepMeter(1 << 22)
    return try Pattern(pattern).matches(text, &meter)
  }

  @Test(arguments: [
    ("", "", true), ("a", "xax", true), ("^a", "xa", false), ("a$", "ax", false), ("^$", "", true),
    ("^$", "a", false), ("a|b", "xb", true), ("^(a|bc)+$", "abcbca", true), ("^(a|)b$", "b", true),
    ("a*b", "b", true), ("^a+$", "", false), ("^a?$", "aa", false), ("^a{2}$", "aa", true),
    ("^a{2,}$", "aaa", true), ("^a{2,3}$", "aaaa", false), ("^a{0}$", "", true),
    ("^(ab){2,3}?$", "abab", true), ("^a{,2}$", "a{,2}", true), ("^{x}$", "{x}", true),
    ("a.c", "a\nc", false), ("a.c", "abc", true), ("a.c", "a\u{2028}c", false),
    ("^[a-c]+$", "abcab", true), ("^[^a-c]+$", "xyz", true), ("^[^a-c]+$", "xay", false),
    ("[]", "a", false), ("[^]", "\n", true), ("^[-a]+$", "a-", true), ("^[a-]+$", "-a", true),
    ("^[\\w-]+$", "a-b_9", true), ("^[\\]\\\\]$", "]", true), ("^[\\b]$", "\u{8}", true),
    ("^\\d{4}-\\d{2}$", "2026-11", true), ("^\\D$", "7", false), ("^\\s\\S$", "\u{feff}x", true),
    ("\\bfoo\\b", "a foo b", true), ("\\bfoo\\b", "afoo", false), ("o\\Bo", "foo", true),
    ("^\\x41\\u0042\\u{43}\\t$", "ABC\t", true), ("^\\ud83d\\ude00$", "😀", true),
    ("^.$", "😀", true), ("^[😀-😂]$", "😁", true), ("^\\cJ$", "\n", true), ("\\0", "\u{0}", true),
    ("^\\/\\.\\-$", "/.-", true), ("^(?:a|b)c$", "bc", true), ("^(?<year>\\d+)$", "2026", true),
    ("^a}]$", "a}]", true), ("(a*)*b", "b", true), ("(a|b)*?c", "ababc", true),
    ("^(?:(?:a?)*)*$", "aaa", true), ("^é$", "e\u{301}", false),
  ])
  func meansWhatECMAScriptMeans(_ pattern: String, _ text: String, _ expected: Bool) throws {
    #expect(try matches(pattern, text) == expected)
  }

  @Test(arguments: [
    ("(", PatternError.Reason.unbalancedGroup, 0), ("a)", .unbalancedGroup, 1),
    ("[a", .unbalancedSet, 0), ("*a", .nothingToRepeat, 0), ("a**", .nothingToRepeat, 2),
    ("^*", .nothingToRepeat, 1), ("a{3,2}", .wrongRepetition, 1), ("[z-a]", .wrongRange, 4),
    ("[a-\\d]", .wrongRange, 5), ("\\q", .wrongEscape, 0), ("\\", .wrongEscape, 0),
    ("\\u12", .wrongEscape, 0), ("\\u{110000}", .wrongEscape, 0),
    ("(a)\\1", .unsupportedReference, 3),
    ("\\k<x>", .unsupportedReference, 0), ("(?=a)", .unsupportedAssertion, 1),
    ("(?!a)", .unsupportedAssertion, 1), ("(?<=a)", .unsupportedAssertion, 1),
    ("(?<!a)", .unsupportedAssertion, 1), ("\\p{L}", .unsupportedProperty, 0),
    ("((a{100}){100}){100}", .tooLarge, 9), ("(?i)a", .nothingToRepeat, 1),
  ])
  func whatItDoesNotHaveIsRefused(
    _ pattern: String, _ reason: PatternError.Reason, _ offset: Int
  ) {
    #expect(throws: PatternError(reason: reason, offset: offset)) { try Pattern(pattern) }
  }

  @Test func hostilePatternsAreRefusedOrLinear() throws {
    for size in [1_000, 60_000] {
      for unit in ["(", "|", "a|", "(|", "[", "a{9}", "()", "(a)", "(?:", "x*"] {
        let pattern = String(repeating: unit, count: size / unit.utf8.count)
        _ = try? Pattern(pattern)
        _ = try? Pattern("(" + pattern + "){2000}")
      }
    }
    #expect(throws: PatternError.self) { try Pattern(String(repeating: "(", count: 200)) }
    // Each of these takes a backtracking matcher longer than the world will last.
    let text = String(repeating: "a", count: 5_000) + "!"
    for pattern in [
      "^(a+)+$", "^(a|a)*$", "^(a|aa)+$", "^(.*a){20}$", "(x+x+)+y", "^(([a-z])+.)+$",
    ] {
      #expect(try matches(pattern, text) != nil, "\(pattern)")
    }
    #expect(try matches("^(a+)+$", text) == false)
  }

  @Test func theMeterEndsAMatch() throws {
    var meter = StepMeter(1_000)
    let text = String(repeating: "a", count: 10_000)
    #expect(try Pattern("b").matches(text, &meter) == nil && meter.left == 0)
  }

  @Test func agreesWithThePlainMeaning() throws {
    var random = SeededRandom(for: "agreesWithThePlainMeaning")
    var matchCount = 0
    for _ in 0..<3000 {
      let model = PatternModel.random(depth: 3, &random)
      let pattern = try Pattern(model.source)
      for _ in 0..<4 {
        let letters = (0..<Int.random(in: 0...6, using: &random)).map { _ in
          "abc1 \n".randomElement(using: &random)!
        }
        var meter = StepMeter(1 << 22)
        let expected = (0...letters.count).contains { !model.ends(letters, from: $0).isEmpty }
        matchCount += expected ? 1 : 0
        try #require(
          pattern.matches(String(letters), &meter) == expected, "\(model.source) on \(letters)")
      }
    }
    #expect((2000...10000).contains(matchCount), "\(matchCount)")
  }
}

/// What a pattern means, as the places where a match that begins at a place may end.
private indirect enum PatternModel: Sendable {
  /// The source, and whether it takes a letter.
  case letter(String, @Sendable (Character) -> Bool)
  /// The source, and whether it holds between two letters.
  case assertion(String, @Sendable (Character?, Character?) -> Bool)
  case sequence([PatternModel])
  case alternatives([PatternModel])
  case repetition(PatternModel, String, ClosedRange<Int>)

  private static let letters: [PatternModel] = [
    .letter("a", { $0 == "a" }), .letter("b", { $0 == "b" }), .letter("\\x63", { $0 == "c" }),
    .letter(".", { $0 != "\n" }), .letter("\\w", isWord), .letter("\\W", { !isWord($0) }),
    .letter("\\d", { $0 == "1" }), .letter("\\s", { $0 == " " || $0 == "\n" }),
    .letter("[ab]", { $0 == "a" || $0 == "b" }), .letter("[^a-b]", { $0 != "a" && $0 != "b" }),
    .letter("[b-c\\d]", { $0 == "b" || $0 == "c" || $0 == "1" }),
  ]
  private static let assertions: [PatternModel] = [
    .assertion("^", { before, _ in before == nil }), .assertion("$", { _, next in next == nil }),
    .assertion("\\b", { isWordOrNil($0) != isWordOrNil($1) }),
    .assertion("\\B", { isWordOrNil($0) == isWordOrNil($1) }),
  ]
  private static let repetitions: [(String, ClosedRange<Int>)] = [
    ("*", 0...9), ("+", 1...9), ("?", 0...1), ("{2}", 2...2), ("{1,2}", 1...2), ("{0,3}", 0...3),
    ("{2,}", 2...9), ("*?", 0...9), ("+?", 1...9), ("{0}", 0...0),
  ]

  private static func isWord(_ letter: Character) -> Bool { letter != " " && letter != "\n" }
  private static func isWordOrNil(_ letter: Character?) -> Bool { letter.map(isWord) ?? false }

  static func random(depth: Int, _ random: inout SeededRandom) -> PatternModel {
    let choice = depth == 0 ? 0 : Int.random(in: 0..<8, using: &random)
    switch choice {
    case 0...1: return letters.randomElement(using: &random)!
    case 2: return assertions.randomElement(using: &random)!
    case 3: return .alternatives(some(depth, 1, &random))
    case 4...5:
      let (source, count) = repetitions.randomElement(using: &random)!
      return .repetition(.random(depth: depth - 1, &random), source, count)
    default: return .sequence(some(depth, 0, &random))
    }
  }

  private static func some(
    _ depth: Int, _ least: Int, _ random: inout SeededRandom
  ) -> [PatternModel] {
    (0..<Int.random(in: least...3, using: &random)).map { _ in .random(depth: depth - 1, &random) }
  }

  var source: String {
    switch self {
    case .letter(let source, _), .assertion(let source, _): source
    case .sequence(let parts): "(?:" + parts.map(\.source).joined() + ")"
    case .alternatives(let parts): "(" + parts.map(\.source).joined(separator: "|") + ")"
    case .repetition(let part, let count, _): "(\(part.source))\(count)"
    }
  }

  func ends(_ text: [Character], from start: Int) -> Set<Int> {
    switch self {
    case .letter(_, let takes): return start < text.count && takes(text[start]) ? [start + 1] : []
    case .assertion(_, let holds):
      let before = start > 0 ? text[start - 1] : nil
      return holds(before, start < text.count ? text[start] : nil) ? [start] : []
    case .sequence(let parts):
      return parts.reduce([start]) { starts, part in
        Set(starts.flatMap { part.ends(text, from: $0) })
      }
    case .alternatives(let parts):
      return parts.reduce([]) { $0.union($1.ends(text, from: start)) }
    case .repetition(let part, _, let count):
      var ends: Set<Int> = count.lowerBound == 0 ? [start] : []
      var starts: Set = [start]
      // Texts are shorter than the most that is tried.
      for number in 0..<count.upperBound {
        starts = Set(starts.flatMap { part.ends(text, from: $0) })
        if number + 1 >= count.lowerBound { ends.formUnion(starts) }
      }
      return ends
    }
  }
}
