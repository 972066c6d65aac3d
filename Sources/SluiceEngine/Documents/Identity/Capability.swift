// What a token allows: an ability on a resource. Abilities and resources are texts whose parts stand
// between slashes. They are compared byte by byte, because Swift's `==` takes some different characters
// for equal.

internal import SluiceJSON

/// One entry of a token's `caps`.
struct Capability: Equatable, Sendable {
  /// `can`: `storage/read`, `storage/*` for all that begins so, or `*`.
  let ability: String
  /// `with`: `space:<did>`, or what lies below it, behind a slash.
  let resource: String
  /// `nb`: what the request must have, as JSON's forms by name.
  let constraints: [String: [UInt8]]

  /// Whether the capability is for such requests. It does not look at the constraints.
  func covers(ability asked: String, resource wanted: String) -> Bool {
    coversAbility(asked) && coversResource(wanted)
  }

  private func coversAbility(_ asked: String) -> Bool {
    if ability.utf8.elementsEqual(asked.utf8) || ability.utf8.elementsEqual("*".utf8) {
      return true
    }
    return Array(ability.utf8.suffix(2)) == Array("/*".utf8)
      && asked.utf8.starts(with: ability.utf8.dropLast())
  }

  private func coversResource(_ wanted: String) -> Bool {
    resource.utf8.elementsEqual(wanted.utf8)
      || wanted.utf8.starts(with: Array(resource.utf8) + [UInt8(ascii: "/")])
  }

  /// Whether the request has what each constraint says, and there is no other constraint.
  func allows(_ digests: TransactionDigests?) -> Bool {
    constraints.allSatisfy { name, form in digests?.form(of: name) == form }
  }

  /// Whether it is for this transaction and no other.
  func isBound(to digests: TransactionDigests?) -> Bool {
    guard let digests else { return false }
    return TransactionDigests.names.allSatisfy { constraints[$0] == digests.form(of: $0) }
  }
}

/// What a token may say of the transaction that it is for.
package struct TransactionDigests: Equatable, Sendable {
  /// The reference of `{"baseHeads": […]}`, sorted, of all writes.
  package var baseHeadsRoot: MerkleReference
  /// The reference of `{"changes": […]}`, the sorted hashes of all changes.
  package var changesRoot: MerkleReference
  package var changeCount: Int

  package init(baseHeadsRoot: MerkleReference, changesRoot: MerkleReference, changeCount: Int) {
    self.baseHeadsRoot = baseHeadsRoot
    self.changesRoot = changesRoot
    self.changeCount = changeCount
  }

  /// The digests of a transaction, from heads and hashes in hexadecimal digits, in any order.
  package init(baseHeads: [String], changes: [String]) {
    func root(_ name: String, _ hashes: [String]) -> MerkleReference {
      .map([(name, .list(hashes.sorted().map { .string($0) }))])
    }
    self.init(
      baseHeadsRoot: root("baseHeads", baseHeads), changesRoot: root("changes", changes),
      changeCount: changes.count)
  }

  static let names = ["baseHeadsRoot", "changesRoot", "changeCount"]

  /// The member as a form of JSON; nil for an unknown name.
  fileprivate func form(of name: String) -> [UInt8]? {
    switch name {
    case "baseHeadsRoot": JSONText.quoted(Array(baseHeadsRoot.capabilityText.utf8))
    case "changesRoot": JSONText.quoted(Array(changesRoot.capabilityText.utf8))
    case "changeCount": Array("\(changeCount)".utf8)
    default: nil
    }
  }
}
