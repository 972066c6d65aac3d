// One token: a JSON Web Token (RFC 7519) in the compact form, with the payload of UCAN 0.10. This reads
// the form and checks the signature; AccessVerifier follows the proofs.

internal import SluiceJSON

struct AccessToken: Sendable {
  /// `iss`, the key that signs.
  let issuer: PublicKey
  /// `aud`, nil if the token has none.
  let audience: String?
  /// `exp`: from this second of Unix time on the token is void.
  let expiry: Double
  /// `nbf`: before this second it is not valid yet.
  let beginning: Double?
  /// `caps` or `att`.
  let capabilities: [Capability]
  /// `prf`: tokens that give the issuer what it passes on.
  let proofs: [[UInt8]]
  let algorithm: String?

  /// The bytes that are signed, and the signature.
  private let signed: [UInt8]
  private let signature: [UInt8]

  /// Of a token wherever it comes: in the head of an upgrade or with a transaction. A token of 8, each in
  /// the one before, with 1,000 bytes of its own, has 26,000 bytes.
  static let byteCountMax = 128 << 10
  /// Up to here, 2^53, each second is a double of its own.
  static let secondMax = 9_007_199_254_740_992.0
  /// Of capabilities, and of proofs.
  static let entryCountMax = 64

  /// Nil if the text is malformed.
  init?(_ text: [UInt8]) {
    guard text.count <= Self.byteCountMax else { return nil }
    let pieces = text.split(
      separator: UInt8(ascii: "."), maxSplits: 3, omittingEmptySubsequences: false)
    guard pieces.count == 3,
      let header = Self.members(pieces[0]), let payload = Self.members(pieces[1]),
      let signature = Base64.url.bytes(of: Array(pieces[2]))
    else { return nil }
    self.signature = signature
    signed = Array(text[..<(text.count - pieces[2].count - 1)])

    guard let algorithm = Self.text("alg", in: header), let type = Self.text("typ", in: header),
      type == nil || type == "JWT", header["crit"] == nil
    else { return nil }
    self.algorithm = algorithm

    guard let version = Self.text("ucv", in: payload),
      version?.hasPrefix("0.10.") ?? true,
      let did = Self.text("iss", in: payload), let did, let issuer = PublicKey(did: did),
      let audience = Self.text("aud", in: payload),
      let expiry = payload["exp"].flatMap(Self.number),
      let proofs = Self.elements(payload["prf"])
    else { return nil }
    self.issuer = issuer
    self.audience = audience
    self.expiry = expiry
    if let form = payload["nbf"] {
      guard let beginning = Self.number(form) else { return nil }
      self.beginning = beginning
    } else {
      beginning = nil
    }

    var texts: [[UInt8]] = []
    for proof in proofs {
      guard let text = JSONText.bytes(ofString: proof) else { return nil }
      texts.append(text)
    }
    self.proofs = texts

    guard payload["caps"] == nil || payload["att"] == nil,
      let entries = Self.elements(payload["caps"] ?? payload["att"])
    else { return nil }
    var capabilities: [Capability] = []
    for entry in entries {
      guard let capability = Capability(entry) else { return nil }
      capabilities.append(capability)
    }
    self.capabilities = capabilities
  }

  /// Whether the issuer has signed the token.
  var isGenuine: Bool { issuer.hasSigned(signed, signature: signature) }

  // MARK: Forms

  /// The members of the JSON object that the piece is in base64url.
  private static func members(_ piece: ArraySlice<UInt8>) -> [String: [UInt8]]? {
    Base64.url.bytes(of: Array(piece)).flatMap(jsonMembers)
  }

  /// Nil if the member is there and no string; nil inside if it is not there.
  private static func text(_ name: String, in members: [String: [UInt8]]) -> String?? {
    guard let form = members[name] else { return .some(nil) }
    return JSONText.string(of: form).map { .some($0) }
  }

  private static func number(_ form: [UInt8]) -> Double? {
    guard let first = form.first, first == UInt8(ascii: "-") || (48...57).contains(first),
      let number = Double(String(decoding: form, as: UTF8.self)), abs(number) <= secondMax
    else { return nil }
    return number
  }

  /// The elements of an array, none if there is no form. Nil if it is no array, or one of too many.
  private static func elements(_ form: [UInt8]?) -> [[UInt8]]? {
    guard let form else { return [] }
    return unsafe form.withUnsafeBytes { text in
      var cursor = unsafe JSONCursor(text)
      var elements: [[UInt8]] = []
      let isArray = cursor.elements { cursor in
        let start = cursor.place
        guard elements.count < entryCountMax, cursor.skipValue() else { return false }
        unsafe elements.append(Array(text[start..<cursor.place]))
        return true
      }
      return isArray ? elements : nil
    }
  }
}

extension Capability {
  /// Nil unless the form is an object with `can`, `with` and perhaps `nb`.
  fileprivate init?(_ form: [UInt8]) {
    guard let members = jsonMembers(form),
      let ability = members["can"].flatMap(JSONText.string),
      let resource = members["with"].flatMap(JSONText.string)
    else { return nil }
    var constraints: [String: [UInt8]] = [:]
    if let form = members["nb"] {
      guard let members = jsonMembers(form) else { return nil }
      constraints = members
    }
    self.init(ability: ability, resource: resource, constraints: constraints)
  }
}

/// Nil unless the text is an object in UTF-8 without repeated names.
private func jsonMembers(_ text: [UInt8]) -> [String: [UInt8]]? {
  String(validating: text, as: UTF8.self).flatMap(JSONText.members)
}
