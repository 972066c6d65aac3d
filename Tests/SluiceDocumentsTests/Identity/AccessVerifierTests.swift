// Tokens: Protocol/vectors/ucan.json, made with another implementation of Ed25519, and chains made here.

import Foundation
import Testing
import TestSupport

@testable import SluiceEngine

@Suite struct AccessVerifierTests {
  static let now = 1_800_000_000.0
  static let space = signer(1)
  static let service = signer(2)
  static let alice = signer(3)
  static let bob = signer(4)

  private static func signer(_ byte: UInt8) -> SigningKey {
    SigningKey(seed: [UInt8](repeating: byte, count: 32))!
  }

  private let verifier = AccessVerifier(
    space: space.publicKey.did, service: service.publicKey.did)
  private let read = AccessRequest.read(space: space.publicKey.did)
  private let digests = TransactionDigests(baseHeads: [], changes: ["ab", "cd"])

  // MARK: Vectors

  struct Vectors: Decodable {
    struct Vector: Decodable {
      struct Need: Decodable {
        var can: String
        var with: String
      }
      struct Digests: Decodable {
        var baseHeadsRoot: String
        var changesRoot: String
        var changeCount: Int
      }
      var id: String
      var name: String
      var token: String
      var now: Double
      var audience: [String]
      var space: String
      var need: Need
      var nb: Digests?
      var expect: String
    }
    var vectors: [Vector]
  }

  @Test func verdictsAreThoseOfTheVectors() throws {
    let data = try Data(contentsOf: repositoryFile("Protocol/vectors/ucan.json"))
    let vectors = try JSONDecoder().decode(Vectors.self, from: data).vectors
    #expect(vectors.count == 29)
    for vector in vectors {
      let verifier = AccessVerifier(space: vector.space, service: vector.audience[0])
      #expect(verifier.audience == vector.audience)
      let request = AccessRequest(
        ability: vector.need.can, resource: vector.need.with,
        digests: vector.nb.map {
          TransactionDigests(
            baseHeadsRoot: reference($0.baseHeadsRoot), changesRoot: reference($0.changesRoot),
            changeCount: $0.changeCount)
        })
      #expect(
        verdict(verifier, Array(vector.token.utf8), request, now: vector.now) == vector.expect,
        "\(vector.id) \(vector.name)")
    }
  }

  private func reference(_ text: String) -> MerkleReference {
    MerkleReference(digest: SHA256Digest(bytes: bytes(ofHex: String(text.dropFirst(3))))!)
  }

  private func verdict(
    _ verifier: AccessVerifier, _ token: [UInt8]?, _ request: AccessRequest, now: Double = now
  ) -> String {
    do throws(AccessRefusal) {
      _ = try verifier.verify(token, for: request, now: now)
      return "ok"
    } catch { return error.reason.rawValue }
  }

  private func verdict(_ token: String, _ request: AccessRequest? = nil) -> String {
    verdict(verifier, Array(token.utf8), request ?? read)
  }

  // MARK: Tokens made here

  /// A token of this issuer. `payload` replaces members of the ordinary payload.
  private func token(
    _ issuer: SigningKey = space, for audience: SigningKey = service,
    caps: String? = nil, prf: [String] = [], extra: String = "",
    exp: Double = now + 60, header: String = #"{"alg":"EdDSA","typ":"JWT"}"#
  ) -> String {
    let own = #"[{"can":"storage/*","with":"space:\#(Self.space.publicKey.did)"}]"#
    let proofs = prf.map { "\"\($0)\"" }.joined(separator: ",")
    return signed(
      issuer, header,
      #"{"ucv":"0.10.0","iss":"\#(issuer.publicKey.did)","aud":"\#(audience.publicKey.did)","#
        + #""exp":\#(exp),"caps":\#(caps ?? own),"prf":[\#(proofs)]\#(extra)}"#)
  }

  private func signed(_ issuer: SigningKey, _ header: String, _ payload: String) -> String {
    let head = [header, payload].map { Base64.url.text(of: Array($0.utf8)) }
      .joined(separator: ".")
    return head + "." + Base64.url.text(of: issuer.signature(of: Array(head.utf8))!)
  }

  private func capability(_ can: String, _ with: String = space.publicKey.did, nb: String = "")
    -> String
  {
    #"[{"can":"\#(can)","with":"space:\#(with)"\#(nb.isEmpty ? "" : ",\"nb\":\(nb)")}]"#
  }

  /// A chain of tokens from the space's to one of so many hands.
  private func chain(_ count: Int) -> String {
    var token = self.token(Self.space, for: count == 1 ? Self.service : Self.alice)
    for index in 1..<max(count, 1) {
      token = self.token(
        Self.alice, for: index == count - 1 ? Self.service : Self.alice, prf: [token])
    }
    return token
  }

  @Test func aChainHasEightTokensAtMost() {
    for count in 1...8 { #expect(verdict(chain(count)) == "ok", "\(count)") }
    #expect(verdict(chain(9)) == "depth")
    #expect(verdict(chain(12)) == "depth")
  }

  @Test func eachTokenOfAChainIsCheckedInFull() {
    let space = Self.space.publicKey.did
    func through(_ proof: String) -> String { verdict(token(Self.alice, prf: [proof])) }
    #expect(through(token(for: Self.alice)) == "ok")
    #expect(through(token(for: Self.alice, exp: Self.now)) == "expired")
    #expect(
      through(token(for: Self.alice, extra: ",\"nbf\":\(Self.now + 1)")) == "not-yet-valid")
    #expect(through(token(for: Self.bob)) == "audience")
    #expect(through(token(for: Self.service)) == "audience")
    #expect(through(token(for: Self.alice, caps: capability("storage/write"))) == "capability")
    #expect(
      through(token(for: Self.alice, caps: capability("storage/*", "did:key:z6"))) == "capability")
    #expect(through(token(Self.bob, for: Self.alice)) == "issuer-chain")
    #expect(through("x") == "malformed")
    #expect(
      through(signed(Self.bob, #"{"alg":"EdDSA"}"#, payload(iss: space, aud: Self.alice)))
        == "signature")
    #expect(
      through(signed(Self.space, #"{"alg":"none"}"#, payload(iss: space, aud: Self.alice)))
        == "alg")
    #expect(verdict(token(Self.alice)) == "issuer-chain")
  }

  private func payload(iss: String, aud: SigningKey = service) -> String {
    #"{"iss":"\#(iss)","aud":"\#(aud.publicKey.did)","exp":\#(Self.now + 9),"#
      + #""caps":\#(capability("*"))}"#
  }

  @Test func aTokenGivesNoMoreThanItsProof() {
    let proof = token(for: Self.alice, caps: capability("storage/read"))
    let all = token(Self.alice, caps: capability("*"), prf: [proof])
    #expect(verdict(all) == "ok")
    let write = AccessRequest.write(space: verifier.space, digests, demanded: false)
    #expect(verdict(all, write) == "capability")
  }

  @Test func oneGoodProofIsEnough() {
    let good = token(for: Self.alice)
    let bad = ["x", token(for: Self.bob), token(Self.bob, for: Self.alice)]
    #expect(verdict(token(Self.alice, prf: bad + [good])) == "ok")
    #expect(verdict(token(Self.alice, prf: [good] + bad)) == "ok")
    // The first of several failures is told.
    #expect(verdict(token(Self.alice, prf: [bad[1], bad[0]])) == "audience")
  }

  /// Seven levels of so many proofs each would be millions of signatures.
  @Test func theNumberOfProofsIsBounded() {
    var proof = token(Self.bob, for: Self.bob)
    for _ in 0..<3 { proof = token(Self.bob, for: Self.bob, prf: [proof, proof, proof]) }
    #expect(proof.utf8.count < AccessToken.byteCountMax)
    // 80 tokens that all fail, before one that does not.
    let refused = token(Self.bob, prf: [proof, proof, token(for: Self.bob)])
    #expect(verdict(refused) == "issuer-chain")
    let many = Array(repeating: "x", count: 65)
    #expect(verdict(token(Self.alice, prf: many)) == "malformed")
    let spent = Array(repeating: "x", count: 63) + [token(for: Self.alice)]
    #expect(verdict(token(Self.alice, prf: spent)) != "ok")
    #expect(verdict(token(Self.alice, prf: Array(spent.dropFirst()))) == "ok")
  }

  @Test func constraintsMustBeThoseOfTheTransaction() {
    let write = AccessRequest.write(space: verifier.space, digests, demanded: false)
    let demanding = AccessRequest.write(space: verifier.space, digests, demanded: true)
    func nb(_ count: Int, _ more: String = "") -> String {
      #"{"changeCount":\#(count),"changesRoot":"\#(digests.changesRoot.capabilityText)","#
        + #""baseHeadsRoot":"\#(digests.baseHeadsRoot.capabilityText)"\#(more)}"#
    }
    let bound = token(caps: capability("storage/write", nb: nb(2)))
    #expect(verdict(bound, write) == "ok")
    #expect(verdict(bound, demanding) == "ok")
    let partly = token(caps: capability("storage/write", nb: #"{"changeCount":2}"#))
    #expect(verdict(partly, write) == "ok")
    #expect(verdict(partly, demanding) == "nb")
    #expect(verdict(token(), write) == "ok")
    #expect(verdict(token(), demanding) == "nb")
    #expect(verdict(token(caps: capability("storage/write", nb: nb(3))), write) == "nb")
    #expect(verdict(token(caps: capability("*", nb: nb(2, #","x":1"#))), write) == "nb")
    // A read has no transaction to be compared with.
    #expect(verdict(token(caps: capability("*", nb: nb(2)))) == "nb")
    #expect(verdict(token(caps: capability("*", nb: "[]"))) == "malformed")
    // The constraints of a proof hold for what is made from it.
    let proof = token(for: Self.alice, caps: capability("*", nb: nb(3)))
    #expect(verdict(token(Self.alice, prf: [proof]), write) == "nb")
    #expect(verdict(token(Self.alice, prf: [proof, token(for: Self.alice)]), write) == "ok")
  }

  @Test func resourcesBelowTheNamedOneAreCovered() {
    let branch = AccessRequest.resource(space: verifier.space, document: "a/b", branch: "main")
    #expect(branch == "space:\(verifier.space)/a%2Fb/main")
    let request = AccessRequest(ability: "storage/read", resource: branch)
    #expect(verdict(token(), request) == "ok")
    #expect(
      verdict(token(caps: capability("storage/read", "\(verifier.space)/a%2Fb")), request) == "ok")
    #expect(
      verdict(token(caps: capability("storage/read", "\(verifier.space)/a")), request)
        == "capability")
    #expect(
      verdict(token(caps: capability("storage/read", "\(verifier.space)/a%2Fb"))) == "capability")
  }

  @Test func aGrantAnswersForMoreThanItWasAskedFor() throws {
    let caps = """
      [{"can":"storage/read","with":"\(AccessRequest.resource(
        space: verifier.space, document: "d", branch: "main"))"},
       {"can":"storage/read","with":"\(AccessRequest.resource(
        space: verifier.space, document: "e", branch: "main"))"}]
      """
    func request(_ document: String) -> AccessRequest {
      AccessRequest(
        ability: "storage/read",
        resource: AccessRequest.resource(
          space: verifier.space, document: document, branch: "main"))
    }
    let proof = token(for: Self.alice, exp: Self.now + 5)
    let text = Array(token(Self.alice, caps: caps, prf: [proof]).utf8)
    let grant = try verifier.verify(text, for: request("d"), now: Self.now)
    #expect(grant.issuer == Self.alice.publicKey)
    #expect(grant.expiry == Self.now + 5)
    #expect(grant.allows(request("e"), now: Self.now))
    #expect(!grant.allows(request("f"), now: Self.now))
    #expect(!grant.allows(read, now: Self.now))
    #expect(!grant.allows(request("e"), now: Self.now + 5))
  }

  // MARK: Forms

  @Test(arguments: [
    #"{"alg":"none"}"#, #"{"alg":"HS256"}"#, #"{"alg":"eddsa"}"#, #"{"alg":"ES256"}"#, "{}",
  ])
  func anotherAlgorithmIsRefused(header: String) {
    #expect(verdict(token(header: header)) == "alg")
  }

  @Test(arguments: [
    #"{"alg":"EdDSA","typ":"XML"}"#, #"{"alg":1}"#, #"{"alg":"EdDSA","crit":["exp"]}"#, "[]",
    #"{"alg":"EdDSA","alg":"none"}"#, "", "{",
  ])
  func aHeaderOfAnotherFormIsRefused(header: String) {
    #expect(verdict(token(header: header)) == "malformed")
  }

  @Test(arguments: [
    #","exp":1"#, #","nbf":"1""#, #","nbf":null"#, #","att":[]"#, #","iss":"x""#, "}",
  ])
  func aPayloadOfAnotherFormIsRefused(extra: String) {
    #expect(verdict(token(extra: extra)) == "malformed")
  }

  /// Beyond 2^53 two seconds are one double.
  @Test func timesAreWithinTheIntegersOfADouble() {
    let edge = 9_007_199_254_740_992.0
    #expect(verdict(token(exp: edge)) == "ok")
    #expect(verdict(token(exp: edge + 2)) == "malformed")
    #expect(verdict(token(exp: 1e300)) == "malformed")
    #expect(verdict(token(exp: -edge)) == "expired")
    #expect(verdict(token(exp: -edge - 2)) == "malformed")
    #expect(verdict(token(extra: ",\"nbf\":-1e300")) == "malformed")
    #expect(verdict(token(extra: ",\"nbf\":\(-edge)")) == "ok")
  }

  @Test(arguments: ["{}", "[1]", #"[{"can":"*"}]"#, #"[{"can":1,"with":"x"}]"#, "null"])
  func capabilitiesOfAnotherFormAreRefused(caps: String) {
    #expect(verdict(token(caps: caps)) == "malformed")
  }

  @Test func aTokenThatIsTooLongOrMissingIsRefused() {
    let long = token(extra: #","x":""# + String(repeating: "x", count: 128 << 10) + "\"")
    #expect(verdict(long) == "malformed")
    #expect(verdict(verifier, nil, read) == "missing")
    #expect(verdict("") == "malformed")
    #expect(verdict("..") == "malformed")
  }

  @Test func anyByteOfATokenCounts() throws {
    let good = Array(chain(2).utf8)
    #expect(verdict(verifier, good, read) == "ok")
    var random = SeededRandom(for: "anyByteOfATokenCounts")
    for index in good.indices {
      var other = good
      repeat { other[index] = UInt8.random(in: 33..<127, using: &random) } while other == good
      #expect(verdict(verifier, other, read) != "ok", "byte \(index)")
    }
  }

  @Test func whatIsSwiftEqualIsNotEnough() {
    // U+212A, the sign of a kelvin, is K for Swift's `==`.
    let other = verifier.space.replacingOccurrences(of: "K", with: "\u{212a}")
    #expect(other == verifier.space)
    #expect(verdict(token(caps: capability("storage/read", other))) == "capability")
  }

  @Test func aSpaceWhoseNameIsNoKeyGivesNothing() {
    let verifier = AccessVerifier(space: "did:key:test", service: Self.service.publicKey.did)
    let caps = capability("*", "did:key:test")
    let request = AccessRequest.read(space: "did:key:test")
    #expect(verdict(verifier, Array(token(caps: caps).utf8), request) == "issuer-chain")
  }

  @Test func reasonsAndConstraintsAreThoseOfTheSpecification() throws {
    let specification = try SpecDocument("Protocol/DOCUMENTS-ACCESS.md")
    let reasons = try specification.rows(under: "Reasons")
    #expect(reasons.map { $0["reason"] } == AccessRefusal.Reason.allCases.map(\.rawValue))
    #expect(
      reasons.map { $0["status"] }
        == AccessRefusal.Reason.allCases.map {
          "\(AccessRefusal(reason: $0, depth: 0).httpStatus)"
        })
    #expect(
      try specification.rows(under: "Constraints").map { $0["member"] } == TransactionDigests.names)
  }

  @Test func eachReasonHasItsStatusAndText() {
    for reason in AccessRefusal.Reason.allCases {
      let refusal = AccessRefusal(reason: reason, depth: 1)
      #expect([401, 403].contains(refusal.httpStatus))
      #expect(refusal.description.hasPrefix("proof 1 "))
    }
    #expect(AccessRefusal(reason: .missing, depth: 0).httpStatus == 401)
    #expect(AccessRefusal(reason: .capability, depth: 0).httpStatus == 403)
  }
}
