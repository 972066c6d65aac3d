// What compiles, and why the rest does not.

import Testing

@testable import SluiceEngine

@Suite struct SchemaTests {
  private func error(_ schema: String) -> QueryError? {
    do throws(QueryError) {
      _ = try Schema(json: Array(schema.utf8))
      return nil
    } catch { return error }
  }

  @Test func anErrorSaysWhatIsWrongAndWhere() {
    #expect(error("{") == QueryError(.malformedJSON))
    #expect(error(#"{"const":"\ud800"}"#) == QueryError(.malformedJSON))
    #expect(
      error(#"{"properties":{"a/b":{"items":[true,{"type":"strnig"}]}}}"#)
        == QueryError(
          .wrongValue(keyword: "type", expected: "the name of a type, or an array of them"),
          at: "/properties/a~1b/items/1"))
    #expect(
      error(#"{"anyOf":[{"pattern":"a("}]}"#)
        == QueryError(
          .pattern(PatternError(reason: .unbalancedGroup, offset: 1)), at: "/anyOf/0"))
    #expect(
      error(#"{"allOf":[{"not":{}}]}"#) == QueryError(.unsupportedKeyword("not"), at: "/allOf/0"))
    #expect(
      error(#"{"allOf":[{"not":{}}]}"#)?.description
        == "schema at /allOf/0: not is not supported in queries")
  }

  @Test(arguments: [
    #"{"minimum":"1"}"#, #"{"maximum":null}"#, #"{"exclusiveMinimum":[]}"#, #"{"pattern":1}"#,
    #"{"enum":{}}"#, #"{"required":"x"}"#, #"{"required":[1]}"#, #"{"properties":[]}"#,
    #"{"allOf":{}}"#, #"{"anyOf":true}"#, #"{"type":1}"#, #"{"type":["string",1]}"#,
    ##"{"$ref":1}"##, ##"{"$ref":"#/none"}"##, ##"{"$ref":"other.json"}"##, ##"{"$ref":"#x"}"##,
    ##"{"$ref":"#/$defs/~2","$defs":{"~2":{}}}"##, ##"{"$ref":"#/%zz"}"##,
    #"{"oneOf":[]}"#, #"{"minLength":1}"#, #"{"patternProperties":{}}"#, #"{"if":{}}"#,
  ])
  func isRefused(_ schema: String) { #expect(error(schema) != nil) }

  @Test(arguments: [
    ("null", QueryVerdict.yes), ("3", .yes), ("[]", .yes), ("{}", .yes), ("false", .no),
    (#"{"title":"t","format":"date","x-other":{"not":1}}"#, .yes), (#"{"type":[]}"#, .no),
    (##"{"$ref":"#"}"##, .yes), (##"{"$ref":"#/a","a":{"$ref":"#/b"},"b":{"$ref":"#/a"}}"##, .yes),
    (##"{"allOf":[{"$ref":"#"}]}"##, .yes), (##"{"anyOf":[{"$ref":"#"}]}"##, .yes),
    (##"{"allOf":[{"$ref":"#"},{"type":"null"}]}"##, .no),
    (##"{"$ref":"#/$defs/a~1b~0","$defs":{"a/b~":{"const":1}}}"##, .yes),
    (##"{"$ref":"#/$defs/a%20b","$defs":{"a b":{"const":1}}}"##, .yes),
    (##"{"$ref":"#/$defs/o/anyOf/1","$defs":{"o":{"anyOf":[false,{"const":1}]}}}"##, .yes),
    // What stands beside a reference has no meaning, as up to draft 7.
    (##"{"$ref":"#/$defs/a","$defs":{"a":true},"type":"null","not":{}}"##, .yes),
    // Definitions that nobody refers to are not schemas.
    (#"{"$defs":{"a":{"type":"nonsense"}}}"#, .yes),
    (#"{"const":0,"const":1}"#, .yes),
  ])
  func compiles(_ schema: String, _ expected: QueryVerdict) throws {
    #expect(try verdict(["A": "1"], "A", [], schema) == expected)
  }

  @Test func numbersAreComparedByValue() throws {
    let numbers: [(String, String, Bool)] = [
      ("1", "1.0", true), ("9007199254740993", "9007199254740992", false),
      ("18446744073709551615", "18446744073709551615.0", false), ("-0", "0.0", true),
      ("1e400", "1e500", true), ("100", "1e2", true),
    ]
    for (left, right, areEqual) in numbers {
      let tree = try QueryTree(Array(left.utf8))
      var meter = StepMeter(100)
      let constants = ConstantSet([try QueryTree(Array(right.utf8)).root])
      #expect(constants.contains(tree.root, &meter) == areEqual, "\(left) \(right)")
    }
    let ascending: [QueryNumber] = [
      .init(-Double.infinity), .init(-1e19), .init(Int64.min), .init(-1.5), .init(Int64(-1)),
      .init(0.5), .init(Int64(1)), .init(9.5), .init(Int64.max), .init(UInt64.max), .init(1e20),
    ]
    for (low, first) in ascending.enumerated() {
      for (high, second) in ascending.enumerated() {
        #expect((first < second) == (low < high), "\(first) \(second)")
      }
    }
  }
}
