// Why a token does not give what was asked.

/// The reason, and in which token of the chain it lies.
package struct AccessRefusal: Error, Equatable, Sendable, CustomStringConvertible {
  /// The checks in their order, with the words by which clients know them. The first that fails is the
  /// reason.
  package enum Reason: String, Error, CaseIterable, Sendable {
    /// There is no token.
    case missing
    /// The token has another form, or is too long.
    case malformed
    /// It is signed by another algorithm than EdDSA, or by none.
    case algorithm = "alg"
    /// The signature is not the issuer's.
    case signature
    case expired
    case notYetValid = "not-yet-valid"
    /// It was given to another than who shows it.
    case audience
    /// It does not name what was asked.
    case capability
    /// The chain does not begin with the space's own key.
    case issuerChain = "issuer-chain"
    /// The chain is too long, or has too many branches.
    case depth
    /// The token is for other changes than those of the request, or names none where it must.
    case constraints = "nb"
  }

  package let reason: Reason
  /// 0 for the token itself, 1 for a proof of it, and so on.
  package let depth: Int

  /// HTTP's status: 401 if another token may do, 403 if this one gives too little.
  package var httpStatus: Int {
    switch reason {
    case .missing, .malformed, .algorithm, .signature, .expired, .notYetValid, .audience: 401
    case .capability, .issuerChain, .depth, .constraints: 403
    }
  }

  package var description: String {
    let what =
      switch reason {
      case .missing: "no token"
      case .malformed: "not a token"
      case .algorithm: "the algorithm is not EdDSA"
      case .signature: "the signature is not the issuer's"
      case .expired: "expired"
      case .notYetValid: "not valid yet"
      case .audience: "made for another audience"
      case .capability: "the capability is missing"
      case .issuerChain: "the space's key is not the origin of the proofs"
      case .depth: "too many proofs"
      case .constraints: "made for other changes"
      }
    return depth == 0 ? what : "proof \(depth) behind the token: \(what)"
  }
}
