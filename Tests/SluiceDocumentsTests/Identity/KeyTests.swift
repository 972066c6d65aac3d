// Ed25519 keys: signatures of RFC 8032, keys' names, and keys and signatures that must not count.

import Foundation
import Testing
import TestSupport

@testable import SluiceEngine

@Suite struct KeyTests {
  /// RFC 8032, section 7.1: tests 1, 2, 3 and SHA(abc).
  static let vectors = [
    (
      "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
      "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
      "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46b"
        + "d25bf5f0595bbe24655141438e7a100b"
    ),
    (
      "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
      "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
      "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c"
        + "387b2eaeb4302aeeb00d291612bb0c00"
    ),
    (
      "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
      "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
      "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc659"
        + "4a7c15e9716ed28dc027beceea1ec40a"
    ),
    (
      "833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42",
      "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
      "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd"
        + "454d4423643ce80e2a9ac94fa54ca49f",
      "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b58909351fc9ac90b3ecfdfbc7c66431e030"
        + "3dca179c138ac17ad9bef1177331a704"
    ),
  ]

  @Test(arguments: vectors)
  func signaturesAreThoseOfTheRFC(
    seed: String, publicKey: String, message: String, signature: String
  ) throws {
    let key = try #require(SigningKey(seed: bytes(ofHex: seed)))
    #expect(key.publicKey.bytes == bytes(ofHex: publicKey))
    let message = bytes(ofHex: message)
    let made = try #require(key.signature(of: message))
    #expect(made == bytes(ofHex: signature))
    #expect(key.publicKey.hasSigned(message, signature: made))
    #expect(!key.publicKey.hasSigned(message + [0], signature: made))
    for index in made.indices {
      var other = made
      other[index] ^= 1
      #expect(!key.publicKey.hasSigned(message, signature: other))
    }
    #expect(!key.publicKey.hasSigned(message, signature: Array(made.dropLast())))
    #expect(!key.publicKey.hasSigned(message, signature: made + [0]))
    #expect(!key.publicKey.hasSigned(message, signature: []))
  }

  /// RFC 8037, appendix A.4 and A.5.
  @Test func theSignatureOfTheJSONWebSignatureIsRight() throws {
    let key = try #require(
      PublicKey(
        bytes: Base64.url.bytes(of: Array("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo".utf8))!))
    let signed = Array("eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc".utf8)
    let signature =
      "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"
    #expect(key.hasSigned(signed, signature: Base64.url.bytes(of: Array(signature.utf8))!))
  }

  /// S + L is as right in arithmetic as S.
  @Test func aSignatureHasOneForm() throws {
    let order: [UInt8] =
      bytes(ofHex: "edd3f55c1a631258d69cf7a2def9de14") + [UInt8](repeating: 0, count: 15) + [0x10]
    for vector in Self.vectors {
      let key = try #require(PublicKey(bytes: bytes(ofHex: vector.1)))
      var signature = bytes(ofHex: vector.3)
      var carry = 0
      for index in 0..<32 {
        let sum = Int(signature[32 + index]) + Int(order[index]) + carry
        signature[32 + index] = UInt8(truncatingIfNeeded: sum)
        carry = sum >> 8
      }
      #expect(!key.hasSigned(bytes(ofHex: vector.2), signature: signature))
    }
  }

  /// The eight points of small order. With the first, the signature 01 00 … 00 of any message is right
  /// for libcrypto.
  @Test(arguments: [
    "0100000000000000000000000000000000000000000000000000000000000000",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0000000000000000000000000000000000000000000000000000000000000080",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
    // Other encodings of such points: p, p + 1, and 1 with the sign of a zero.
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "0100000000000000000000000000000000000000000000000000000000000080",
    "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
  ])
  func aPointOfSmallOrderIsNoKey(encoding: String) {
    #expect(PublicKey(bytes: bytes(ofHex: encoding)) == nil)
  }

  /// p - 2 is the largest y that is no point of small order and has one encoding.
  @Test func theLargestEncodingsAreKeys() {
    #expect(
      PublicKey(
        bytes: bytes(ofHex: "ebffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"))
        != nil)
  }

  /// libcrypto finds out when it verifies.
  @Test func aKeyThatIsNoPointHasSignedNothing() throws {
    let notOnCurve = [2] + [UInt8](repeating: 0, count: 31)
    let key = try #require(PublicKey(bytes: notOnCurve))
    #expect(!key.hasSigned([], signature: [1] + [UInt8](repeating: 0, count: 63)))
  }

  // MARK: Names

  @Test func aKeyHasOneName() throws {
    let key = try #require(SigningKey(seed: [UInt8](repeating: 1, count: 32))).publicKey
    #expect(key.did == "did:key:z6Mkon3Necd6NkkyfoGoHxid2znGc59LU3K7mubaRcFbLfLX")
    #expect(PublicKey(did: key.did) == key)
    var random = SeededRandom(for: "aKeyHasOneName")
    for _ in 0..<200 {
      let seed = (0..<32).map { _ in UInt8.random(in: 0...255, using: &random) }
      let key = try #require(SigningKey(seed: seed)).publicKey
      #expect(PublicKey(did: key.did) == key)
    }
  }

  @Test(arguments: [
    "", "did:key:", "did:key:z", "did:key:6Mkon3Necd6NkkyfoGoHxid2znGc59LU3K7mubaRcFbLfLX",
    "did:web:example.com", "DID:key:z6Mkon3Necd6NkkyfoGoHxid2znGc59LU3K7mubaRcFbLfLX",
    "did:key:z16Mkon3Necd6NkkyfoGoHxid2znGc59LU3K7mubaRcFbLfLX",
    "did:key:z6Mkon3Necd6NkkyfoGoHxid2znGc59LU3K7mubaRcFbLfLX ",
    "did:key:z6Mkon3Necd6NkkyfoGoHxid2znGc59LU3K7mubaRcFbLfLX#key",
    "did:key:z6Mkon3Necd6NkkyfoGoHxid2znGc59LU3K7mubaRcFbLfL",
    "did:key:z6Mkon3Necd6NkkyfoGoHxid2znGc59LU3K7mubaRcFbLfL0",
    // An X25519 key and one of secp256k1.
    "did:key:z6LSbysY2xFMRpGMhb7tFTLMpeuPRaqaWM1yECx2AtzE3KCc",
    "did:key:zQ3shokFTS3brHcDQrn82RUDfCZESWL1ZdCEJwekUDPQiYBme",
  ])
  func otherTextsAreNoNamesOfKeys(did: String) { #expect(PublicKey(did: did) == nil) }

  @Test func aLongNameCostsNoTime() {
    #expect(PublicKey(did: "did:key:z" + String(repeating: "6", count: 10_000_000)) == nil)
  }

  @Test func aSeedHas32Bytes() {
    #expect(SigningKey(seed: []) == nil)
    #expect(SigningKey(seed: [UInt8](repeating: 1, count: 31)) == nil)
    #expect(SigningKey(seed: [UInt8](repeating: 1, count: 64)) == nil)
  }
}

func bytes(ofHex text: String) -> [UInt8] {
  let digits = text.utf8.compactMap { Character(UnicodeScalar($0)).hexDigitValue }
  return stride(from: 0, to: digits.count - 1, by: 2).map {
    UInt8(digits[$0] << 4 | digits[$0 + 1])
  }
}
