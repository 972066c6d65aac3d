// Bytes as text: the test vectors of RFC 4648 and of base58btc, and texts that are none.

import Testing

@testable import SluiceEngine

@Suite struct EncodingTests {
  /// RFC 4648, section 10.
  @Test(arguments: [
    ("", "", "", ""), ("f", "Zg==", "Zg", "my"), ("fo", "Zm8=", "Zm8", "mzxq"),
    ("foo", "Zm9v", "Zm9v", "mzxw6"), ("foob", "Zm9vYg==", "Zm9vYg", "mzxw6yq"),
    ("fooba", "Zm9vYmE=", "Zm9vYmE", "mzxw6ytb"), ("foobar", "Zm9vYmFy", "Zm9vYmFy", "mzxw6ytboi"),
  ])
  func textsAreThoseOfTheRFC(bytes: String, padded: String, plain: String, base32: String) {
    let bytes = Array(bytes.utf8)
    #expect(Base64.standard.text(of: bytes) == padded)
    #expect(Base64.url.text(of: bytes) == plain)
    #expect(Base32.text(of: bytes) == base32)
    #expect(Base64.standard.bytes(of: Array(padded.utf8)) == bytes)
    #expect(Base64.url.bytes(of: Array(plain.utf8)) == bytes)
  }

  @Test func theTwoAlphabetsDifferInTwoDigits() {
    let bytes: [UInt8] = [0xfb, 0xef, 0xff]
    #expect(Base64.standard.text(of: bytes) == "++//")
    #expect(Base64.url.text(of: bytes) == "--__")
    #expect(Base64.standard.bytes(of: Array("--__".utf8)) == nil)
    #expect(Base64.url.bytes(of: Array("++//".utf8)) == nil)
  }

  /// One text for any bytes: else a signature would cover many.
  @Test(arguments: ["Z", "Zg==", "Zh", "Zm9", "Zm9vY", "Zm8=", "Zm8 ", "Zm\n8", "Zg\0\0", "é"])
  func otherTextsAreNoBase64OfJSONWebTokens(text: String) {
    #expect(Base64.url.bytes(of: Array(text.utf8)) == nil)
  }

  /// From the draft of base58 at the IETF, draft-msporny-base58-03, section 5.
  @Test(arguments: [
    (Array("Hello World!".utf8), "2NEpo7TZRRrLZSi2U"),
    (
      Array("The quick brown fox jumps over the lazy dog.".utf8),
      "USm3fpXnKG5EUBx2ndxBDMPVciP5hGey2Jh4NDv6gmeo1LkMeiKrLJUUBk6Z"
    ),
    ([0, 0, 0x28, 0x7f, 0xb4, 0xcd], "11233QC4"), ([], ""), ([0], "1"),
  ])
  func base58IsThatOfTheDraft(bytes: [UInt8], text: String) {
    #expect(Base58.text(of: bytes) == text)
    #expect(Base58.bytes(of: text.utf8) == bytes)
  }

  @Test(arguments: ["0", "O", "I", "l", "z ", "-"])
  func otherTextsAreNoBase58(text: String) { #expect(Base58.bytes(of: text.utf8) == nil) }
}
