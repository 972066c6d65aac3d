// Any bytes as a token, and as the payload of a token with a right signature. Only tokens that were
// signed give access, byte for byte. The same bytes as JSON, base64url and a key's name too: each has
// one form.

import SluiceJSON

@testable import SluiceEngine

struct TokenTarget: FuzzTarget {
  static let name = "token"

  private static let now = 1_800_000_000.0
  /// The keys of the vectors have seeds of 32 equal bytes.
  private let space = SigningKey(seed: [UInt8](repeating: 1, count: 32))!
  private let service = SigningKey(seed: [UInt8](repeating: 2, count: 32))!
  private let verifier: AccessVerifier
  private let requests: [AccessRequest]

  static func seeds(from vectors: SeedVectors) -> [[UInt8]] {
    vectors.tokens.filter { $0.count <= 4096 }
      + vectors.tokens.compactMap { token in
        let pieces = token.split(separator: UInt8(ascii: "."))
        return pieces.count < 2 ? nil : Base64.url.bytes(of: Array(pieces[1]))
      }
  }

  init() {
    verifier = AccessVerifier(space: space.publicKey.did, service: service.publicKey.did)
    requests = [
      .read(space: space.publicKey.did),
      .write(
        space: space.publicKey.did, TransactionDigests(baseHeads: [], changes: ["ab"]),
        demanded: false),
    ]
  }

  func run(_ input: [UInt8]) {
    checkForgery(input)
    checkPayload(input)
    checkForms(input)
  }

  /// What is granted was signed by who it says: an altered token has another text.
  private func checkForgery(_ text: [UInt8]) {
    for request in requests where granted(text, request) {
      guard let token = AccessToken(text) else { broken("granted without a token") }
      require(token.isGenuine, "granted without a signature")
      require(
        text.split(separator: UInt8(ascii: ".")).allSatisfy { piece in
          Base64.url.bytes(of: Array(piece)).map(Base64.url.text) ?? ""
            == String(decoding: piece, as: UTF8.self)
        }, "a token has two texts")
    }
  }

  private func checkPayload(_ payload: [UInt8]) {
    let header = Array(#"{"alg":"EdDSA"}"#.utf8)
    let signed = Array(
      "\(Base64.url.text(of: header)).\(Base64.url.text(of: payload))".utf8)
    let signature = Base64.url.text(of: space.signature(of: signed)!)
    let text = signed + Array(".\(signature)".utf8)
    for request in requests where granted(text, request) {
      guard let token = AccessToken(text) else { broken("granted without a token") }
      require(token.issuer == space.publicKey, "granted by a stranger")
      require(token.expiry > Self.now, "granted after its end")
    }
  }

  private func granted(_ text: [UInt8], _ request: AccessRequest) -> Bool {
    guard let grant = try? verifier.verify(text, for: request, now: Self.now) else { return false }
    require(grant.allows(request, now: Self.now), "a grant without what was asked for")
    return true
  }

  private func checkForms(_ input: [UInt8]) {
    if MerkleReference(ofJSON: input) != nil {
      require(JSONText.root(of: input) != nil, "a reference of what is no JSON")
    }
    for base64 in [Base64.url, Base64.standard] {
      if let bytes = base64.bytes(of: input) {
        require(Array(base64.text(of: bytes).utf8) == input, "bytes have two texts")
      }
      require(base64.bytes(of: Array(base64.text(of: input).utf8)) == input, "bytes are lost")
    }
    let text = String(decoding: input, as: UTF8.self)
    if let key = PublicKey(did: text) { require(key.did == text, "a key has two names") }
  }
}
