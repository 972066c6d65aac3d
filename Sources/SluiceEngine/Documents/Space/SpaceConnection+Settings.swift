// The table `space_settings`: the settings and the invariants, each one JSON text.

extension SpaceConnection {
  private static let invariantsRow = "invariants"

  private func value(_ key: String) throws(DatabaseError) -> SpaceValue? {
    let text = try first("SELECT value_json FROM space_settings WHERE key = ?1", .text(key)) {
      $0.text(0)
    }
    guard let text else { return nil }
    guard let value = SpaceValue(parsing: text) else {
      throw .damaged("the row \(key) of the settings is no JSON")
    }
    return value
  }

  private func put(_ value: SpaceValue, forKey key: String) throws(DatabaseError) {
    try run("REPLACE INTO space_settings VALUES (?1, ?2)", .text(key), .text(value.json))
  }

  func settings() throws(DatabaseError) -> SpaceSettings {
    guard let value = try value(SpaceSettings.row) else { return SpaceSettings() }
    do throws(SpaceError) { return try SpaceSettings(value) } catch {
      throw .damaged("the settings cannot be read: \(error.message)")
    }
  }

  func put(_ settings: SpaceSettings) throws(DatabaseError) {
    try put(settings.value, forKey: SpaceSettings.row)
  }

  /// Throws if one cannot be read, because the transactions that it would refuse must not pass.
  func invariants() throws(DatabaseError) -> [Invariant] {
    guard let value = try value(Self.invariantsRow) else { return [] }
    var invariants: [Invariant] = []
    do throws(SpaceError) {
      for value in value.list ?? [.null] { invariants.append(try Invariant(value)) }
    } catch {
      throw .damaged("the invariants cannot be read: \(error.message)")
    }
    return invariants
  }

  func put(_ invariants: [Invariant]) throws(DatabaseError) {
    try put(.list(invariants.map(\.value)), forKey: Self.invariantsRow)
  }
}
