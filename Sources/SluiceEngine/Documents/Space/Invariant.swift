// What must hold of documents, declared in data, per space. One that cannot be understood is refused
// when it is declared; one that cannot be evaluated refuses the transaction.

internal import SluiceAutomerge

/// A rule that no transaction may break.
package struct Invariant: Sendable, Equatable {
  /// To which documents a rule applies.
  package enum Scope: Sendable, Equatable {
    case document(String)
    case prefix(String)

    func contains(_ docID: String) -> Bool {
      switch self {
      case .document(let id): docID == id
      case .prefix(let prefix): docID.utf8.starts(with: prefix.utf8)
      }
    }
  }

  package enum Rule: Sendable, Equatable {
    /// The root of the document satisfies a schema.
    case schema(SpaceValue)
    /// The list or text at a path keeps its elements: new ones come behind them.
    case appendOnly(path: [String])
    /// The number at a path never becomes smaller, and does not go away.
    case monotonic(path: [String])
    /// The number or string at a path is not smaller than that at a path of another document's main
    /// branch.
    case equalOrNewer(path: [String], otherDocID: String, otherPath: [String])
  }

  package var name: String
  package var scope: Scope
  package var rule: Rule

  static let countMax = 256
  private static let nameByteCountMax = 255

  /// Reads a declaration: {name, doc | prefix, kind, …}.
  package init(_ value: SpaceValue) throws(SpaceError) {
    guard let name = value["name"]?.text, !name.isEmpty,
      name.utf8.count <= Self.nameByteCountMax
    else { throw Self.error("an invariant has a name of 1 to 255 bytes") }
    self.name = name
    switch (value["doc"]?.text, value["prefix"]?.text) {
    case (let id?, nil): scope = .document(id)
    case (nil, let prefix?): scope = .prefix(prefix)
    default: throw Self.error("invariant \(name) has either a doc or a prefix")
    }
    var known: Set = ["name", "kind", "doc", "prefix"]
    switch value["kind"]?.text {
    case "schema":
      guard let schema = value["schema"] else { throw Self.error("\(name) has no schema") }
      if let flaw = SchemaRule.flaw(of: schema) { throw Self.error("\(name): \(flaw)") }
      rule = .schema(schema)
      known.insert("schema")
    case "appendOnly":
      rule = .appendOnly(path: try Self.path(value, "path"))
      known.insert("path")
    case "monotonic":
      rule = .monotonic(path: try Self.path(value, "path"))
      known.insert("path")
    case "equalOrNewer":
      guard let other = value["otherDoc"]?.text, case .document = scope else {
        throw Self.error("\(name) has a doc and an otherDoc")
      }
      rule = .equalOrNewer(
        path: try Self.path(value, "path"), otherDocID: other,
        otherPath: try Self.path(value, "otherPath"))
      known.formUnion(["path", "otherDoc", "otherPath"])
    case let kind:
      throw Self.error("\(name): there is no kind of invariant \(kind ?? "without a name")")
    }
    if case .map(let members) = value,
      let member = members.first(where: { !known.contains($0.key) })
    {
      throw Self.error("\(name): \(member.key) means nothing here")
    }
  }

  private static func path(_ value: SpaceValue, _ key: String) throws(SpaceError) -> [String] {
    guard let path = value[key]?.texts, path.count <= SpaceValue.depthMax else {
      throw error("\(key) is an array of strings")
    }
    return path
  }

  private static func error(_ message: String) -> SpaceError {
    SpaceError(.invalidArgument, message)
  }

  /// The declaration.
  package var value: SpaceValue {
    var members: [SpaceValue.Member] = [.init("name", .text(name))]
    switch scope {
    case .document(let id): members.append(.init("doc", .text(id)))
    case .prefix(let prefix): members.append(.init("prefix", .text(prefix)))
    }
    func path(_ path: [String]) -> SpaceValue { .list(path.map { .text($0) }) }
    switch rule {
    case .schema(let schema):
      members += [.init("kind", .text("schema")), .init("schema", schema)]
    case .appendOnly(let place):
      members += [.init("kind", .text("appendOnly")), .init("path", path(place))]
    case .monotonic(let place):
      members += [.init("kind", .text("monotonic")), .init("path", path(place))]
    case .equalOrNewer(let place, let other, let otherPlace):
      members += [
        .init("kind", .text("equalOrNewer")), .init("path", path(place)),
        .init("otherDoc", .text(other)), .init("otherPath", path(otherPlace)),
      ]
    }
    return .map(members)
  }
}
