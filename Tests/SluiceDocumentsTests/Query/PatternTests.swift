// Regular expressions: ECMAScript's meaning, in linear time.

import Foundation
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
    ("^*", .nothingToRepeat, 1), ("a{3,2}", .wrongRepetition, 6), ("[z-a]", .wrongRange, 4),
    ("[a-\\d]", .wrongRange, 5), ("\\q", .wrongEscape, 0), ("\\", .wrongEscape, 0),
    ("\\u12", .wrongEscape, 0), ("\\u{110000}", .wrongEscape, 0),
    ("(a)\\1", .unsupportedReference, 3),
    ("\\k<x>", .unsupportedReference, 0), ("(?=a)", .unsupportedAssertion, 1),
    ("(?!a)", .unsupportedAssertion, 1), ("(?<=a)", .unsupportedAssertion, 1),
    ("(?<!a)", .unsupportedAssertion, 1), ("\\p{L}", .unsupportedProperty, 0),
    ("((a{100}){100}){100}", .tooLarge, 14), ("(?i)a", .nothingToRepeat, 1),
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

  /// Where both have one meaning: ASCII, and nothing that ICU reads in its own way.
  @Test func agreesWithAnotherMatcher() throws {
    var random = SeededRandom(for: "agreesWithAnotherMatcher")
    func pick(_ list: [String]) -> String { list.randomElement(using: &random)! }
    func pattern(_ depth: Int) -> String {
      var text = ""
      for _ in 0..<Int.random(in: 1...3, using: &random) {
        let atom: String
        switch Int.random(in: 0..<(depth > 0 ? 8 : 5), using: &random) {
        case 0...2: atom = pick(["a", "b", "c"])
        case 3: atom = pick([".", "\\w", "\\d", "[ab]", "[^a]", "[b-c]", "\\s"])
        case 4: atom = pick(["a", "^", "$", "\\b", "\\B"])
        case 5: atom = "(" + pattern(depth - 1) + ")"
        case 6: atom = "(?:" + pattern(depth - 1) + "|" + pattern(depth - 1) + ")"
        default: atom = "(" + pattern(depth - 1) + "|" + pattern(depth - 1) + ")"
        }
        text += atom
        let mayRepeat = !["^", "$", "\\b", "\\B"].contains(atom)
        if mayRepeat, Int.random(in: 0..<3, using: &random) == 0 {
          text += pick(["*", "+", "?", "{2}", "{1,2}", "{0,3}", "*?", "+?"])
        }
      }
      return text
    }
    for _ in 0..<2000 {
      let source = pattern(2)
      let ours = try Pattern(source)
      let other = try NSRegularExpression(pattern: source)
      for _ in 0..<4 {
        let text = (0..<Int.random(in: 0...6, using: &random)).map { _ in
          pick(["a", "b", "c", "1", " "])
        }.joined()
        var meter = StepMeter(1 << 22)
        let range = NSRange(location: 0, length: text.utf16.count)
        try #require(
          ours.matches(text, &meter) == (other.firstMatch(in: text, range: range) != nil),
          "\(source) on \(text)")
      }
    }
  }
}
