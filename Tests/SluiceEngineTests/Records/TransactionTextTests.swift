// What the store reads in transactions and headers.

import Testing

@testable import SluiceEngine

struct TransactionTextTests {
  private func size(_ text: String) -> Int? {
    unsafe Array(text.utf8).withUnsafeBytes { unsafe TransactionText.size(of: $0) }
  }

  private func keys(_ text: String) -> [String] {
    var keys: [String] = []
    unsafe Array(text.utf8).withUnsafeBytes { bytes in
      unsafe TransactionText.keysSet(in: bytes) { keys.append(String(decoding: $0, as: UTF8.self)) }
    }
    return keys
  }

  @Test(
    arguments: [
      (#"{"privacy":"trusting","madeAt":1,"changes":"[]"}"#, 2),
      (
        #"{"privacy":"private","madeAt":1,"keyUsed":"k","encryptedChanges":"abc","changes":"x"}"#, 3
      ),
      (#"{"privacy":"trusting","changes":"é漢😀"}"#, 4),
      (#"{"privacy":"trusting","changes":"\"\\\n\u00e9\ud83d\ude00\ud800"}"#, 7),
      (#" { "changes" : "abcd" , "privacy" : "trusting" } "#, 4),
      (#"{"meta":"{\"changes\":\"long\"}","changes":"a","nested":{"changes":"abcdef"}}"#, 1),
      (#"{"\u0063hanges":"abc"}"#, 3),
      (#"{"changes":"a","changes":"bcd"}"#, 3),
    ])
  func sizeCountsCodeUnitsOfJavaScript(text: String, size expected: Int) {
    #expect(size(text) == expected)
  }

  @Test(
    arguments: [
      "", "{", "[]", "7", #""changes""#, "{}", #"{"changes":7}"#, #"{"changes":"a"} x"#,
      #"{"changes":"a",}"#, #"{"changes":"\x"}"#, #"{"changes":"\ud8"}"#, "{\"changes\":\"\u{1}\"}",
      #"{"privacy":"private","changes":"a"}"#, #"{"changes":"a" "b":1}"#,
      #"{"a":01,"changes":"a"}"#,
    ])
  func whatIsNoTransactionHasNoSize(text: String) {
    #expect(size(text) == nil)
  }

  @Test func brokenTextIsNoTransaction() {
    let broken: [UInt8] = [0x7b, 0xff, 0x7d]
    let found = unsafe broken.withUnsafeBytes { unsafe TransactionText.size(of: $0) }
    #expect(found == nil)
    let deep = #"{"changes":"a","b":"# + String(repeating: "[", count: 100_000)
    #expect(size(deep) == nil)
  }

  @Test func aGroupsTransactionNamesWhatItSets() {
    let changes =
      #"[{\"op\":\"set\",\"key\":\"co_zA\",\"value\":1},{\"op\":\"del\",\"key\":\"co_zB\"},7,"#
      + #"{\"key\":\"parent_co_zC\",\"op\":\"set\"},{\"op\":\"set\",\"key\":7}]"#
    #expect(
      keys(#"{"privacy":"trusting","changes":"\#(changes)"}"#) == ["co_zA", "parent_co_zC"])
  }

  @Test(arguments: ["{}", "7", "null", "true", "[", "[{]", #"[{\"op\":\"set\",\"key\":\"k\"}"#])
  func changesThatAreNoListNameNothing(changes: String) {
    #expect(keys(#"{"privacy":"trusting","changes":"\#(changes)"}"#) == [])
  }

  @Test func privateTransactionsNameNothing() {
    #expect(
      keys(#"{"privacy":"private","changes":"[{\"op\":\"set\",\"key\":\"co_zA\"}]"}"#) == [])
  }

  @Test func aKeyNamesAValueOrNone() {
    func dependency(_ key: String) -> String? {
      RecordHeader.dependency(ofKey: Array(key.utf8)).map { String(decoding: $0, as: UTF8.self) }
    }
    #expect(dependency("parent_co_zA") == "co_zA")
    #expect(dependency("co_zA") == "co_zA")
    for key in ["child_co_zA", "everyone", "readKey", "key_z1_for_co_zA", ""] {
      #expect(dependency(key) == nil)
    }
  }

  @Test func theOwnerOfASessionIsAnAccountOrNobody() {
    func owner(_ session: String) -> String? {
      RecordNames.owner(ofSession: Array(session.utf8)).map { String(decoding: $0, as: UTF8.self) }
    }
    #expect(owner("co_zA_session_z1") == "co_zA")
    #expect(owner("co_zA_session_d1$") == "co_zA")
    #expect(owner("co_zA_session_session") == "co_zA")
    #expect(owner("sealer_zA/signer_zB_session_z1") == nil)
    #expect(owner("co_zA") == nil)
    #expect(owner("") == nil)
  }
}
