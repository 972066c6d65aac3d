// Whether a token gives what is asked: a pure function of the token, the request, the clock and two
// names. The rules are those of Protocol/DOCUMENTS-ACCESS.md.
//
// The chain is walked with a list, never by recursion. Text, depth and number of tokens are bounded, and
// a proof is shorter than the token that carries it, so the time is bounded too: at most `tokenCountMax`
// signatures.

/// What is asked for.
package struct AccessRequest: Sendable {
  /// `storage/read`, `storage/write`.
  package var ability: String
  /// `space:<did>`, or a name below it.
  package var resource: String
  /// The transaction, for a write.
  package var digests: TransactionDigests?
  /// Whether the token must name just this transaction.
  package var digestsAreDemanded: Bool

  package init(
    ability: String, resource: String, digests: TransactionDigests? = nil,
    digestsAreDemanded: Bool = false
  ) {
    self.ability = ability
    self.resource = resource
    self.digests = digests
    self.digestsAreDemanded = digestsAreDemanded
  }

  /// To read the space with this name.
  package static func read(space: String) -> AccessRequest {
    AccessRequest(ability: "storage/read", resource: "space:\(space)")
  }

  /// To write this transaction to the space with this name.
  package static func write(
    space: String, _ digests: TransactionDigests, demanded: Bool
  ) -> AccessRequest {
    AccessRequest(
      ability: "storage/write", resource: "space:\(space)", digests: digests,
      digestsAreDemanded: demanded)
  }

  /// The resource of one document's branch. The capability for the space covers it.
  package static func resource(space: String, document: String, branch: String) -> String {
    "space:\(space)/\(escaped(document))/\(escaped(branch))"
  }

  /// A name of one part: its slashes, and the sign that escapes them, are percent-encoded.
  private static func escaped(_ name: String) -> String {
    var text: [UInt8] = []
    for byte in name.utf8 {
      switch byte {
      case UInt8(ascii: "%"): text += Array("%25".utf8)
      case UInt8(ascii: "/"): text += Array("%2F".utf8)
      default: text.append(byte)
      }
    }
    return String(decoding: text, as: UTF8.self)
  }
}

/// What a verified token gives.
package struct AccessGrant: Sendable {
  /// Whose token it is.
  package let issuer: PublicKey
  /// Unix time in seconds from which on the grant is void: the earliest expiry in the chain.
  package let expiry: Double
  /// The capabilities of each token of the chain.
  private let chain: [[Capability]]

  fileprivate init(_ tokens: [AccessToken]) {
    issuer = tokens[0].issuer
    expiry = tokens.map(\.expiry).min() ?? 0
    chain = tokens.map(\.capabilities)
  }

  /// Whether the same chain gives this too, at the time `now`. So that not each document of a
  /// subscription costs signatures.
  package func allows(_ request: AccessRequest, now: Double) -> Bool {
    guard now < expiry else { return false }
    return chain.indices.allSatisfy { depth in
      AccessVerifier.coverage(of: request, by: chain[depth], depth: depth) == .allowed
    }
  }
}

/// Verifies tokens for one space.
package struct AccessVerifier: Sendable {
  /// The space's did:key, from which all access comes.
  package let space: String
  /// The names that a token may be made for: the service's and the space's.
  package let audience: [String]

  /// The length of the longest chain.
  package static let depthMax = 8
  /// The tokens of all proofs that are looked at.
  package static let tokenCountMax = 64

  package init(space: String, service: String) {
    self.space = space
    audience = [service, space]
  }

  /// Whether the token gives what is asked at the time `now`, in seconds of Unix time. `token` is the
  /// compact form, nil if the client has shown none.
  package func verify(
    _ token: [UInt8]?, for request: AccessRequest, now: Double
  ) throws(AccessRefusal) -> AccessGrant {
    guard let token, !token.isEmpty else {
      throw AccessRefusal(reason: token == nil ? .missing : .malformed, depth: 0)
    }
    let origin = PublicKey(did: space)
    var path: [Step] = []
    var tokenCount = 0
    var next: (text: [UInt8], audience: [String])? = (token, audience)
    while true {
      var failure: AccessRefusal?
      if let (text, audience) = next {
        tokenCount += 1
        if path.count == Self.depthMax || tokenCount > Self.tokenCountMax {
          failure = AccessRefusal(reason: .depth, depth: path.count)
        } else {
          switch admit(text, audience, request, now, depth: path.count) {
          case .success(let token): path.append(Step(token))
          case .failure(let reason): failure = AccessRefusal(reason: reason, depth: path.count)
          }
        }
      }
      if failure == nil, let last = path.last, last.token.issuer == origin {
        guard let refusing = Self.refusing(in: path, request) else {
          return AccessGrant(path.map(\.token))
        }
        // Another proof below the token that is for other changes does not help it.
        path.removeSubrange(refusing...)
        failure = AccessRefusal(reason: .constraints, depth: refusing)
      }
      next = try nextProof(in: &path, after: failure, isSpent: tokenCount > Self.tokenCountMax)
    }
  }

  /// The next proof to look at. Throws the first failure of each token's proofs, when none is left.
  private func nextProof(
    in path: inout [Step], after failure: AccessRefusal?, isSpent: Bool
  ) throws(AccessRefusal) -> (text: [UInt8], audience: [String]) {
    var failure = failure
    while let index = path.indices.last {
      if path[index].failure == nil { path[index].failure = failure }
      if !isSpent, let proof = path[index].takeProof() {
        return (proof, [path[index].token.issuer.did])
      }
      failure =
        path[index].failure
        ?? AccessRefusal(reason: .issuerChain, depth: index)
      path.removeLast()
    }
    throw failure ?? AccessRefusal(reason: .issuerChain, depth: 0)
  }

  /// A token of the path, and what became of the proofs that were tried.
  private struct Step {
    let token: AccessToken
    private var proofIndex = 0
    var failure: AccessRefusal?

    init(_ token: AccessToken) { self.token = token }

    mutating func takeProof() -> [UInt8]? {
      guard proofIndex < token.proofs.count else { return nil }
      proofIndex += 1
      return token.proofs[proofIndex - 1]
    }
  }

  /// The token nearest to the origin whose constraints refuse the request.
  private static func refusing(in path: [Step], _ request: AccessRequest) -> Int? {
    path.indices.last { depth in
      coverage(of: request, by: path[depth].token.capabilities, depth: depth) != .allowed
    }
  }

  /// All checks of one token but its proofs and constraints, in their order.
  private func admit(
    _ text: [UInt8], _ audience: [String], _ request: AccessRequest, _ now: Double, depth: Int
  ) -> Result<AccessToken, AccessRefusal.Reason> {
    guard let token = AccessToken(text) else { return .failure(.malformed) }
    guard token.algorithm == "EdDSA" else { return .failure(.algorithm) }
    guard token.isGenuine else { return .failure(.signature) }
    guard now < token.expiry else { return .failure(.expired) }
    if let beginning = token.beginning, now < beginning { return .failure(.notYetValid) }
    guard let name = token.audience,
      audience.contains(where: { $0.utf8.elementsEqual(name.utf8) })
    else { return .failure(.audience) }
    if Self.coverage(of: request, by: token.capabilities, depth: depth) == .notNamed {
      return .failure(.capability)
    }
    return .success(token)
  }

  fileprivate enum Coverage {
    case allowed
    /// Only by capabilities for other transactions.
    case constrained
    case notNamed
  }

  /// What the capabilities of the token at this depth say to the request. Only the token itself, which
  /// the client makes, can be demanded to name the transaction.
  fileprivate static func coverage(
    of request: AccessRequest, by capabilities: [Capability], depth: Int
  ) -> Coverage {
    var coverage = Coverage.notNamed
    for capability in capabilities
    where capability.covers(ability: request.ability, resource: request.resource) {
      let isBound =
        !request.digestsAreDemanded || depth > 0 || capability.isBound(to: request.digests)
      if isBound && capability.allows(request.digests) { return .allowed }
      coverage = .constrained
    }
    return coverage
  }
}
