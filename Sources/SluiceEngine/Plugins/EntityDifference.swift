// What a plugin reports: how the entities of a file that are to be differ from those that are.

enum EntityDifference {
  struct ID: Hashable {
    // Strings would be equal if they look equal: "é" is one character or two.
    let schemaKey: [UInt8]
    let entityID: [UInt8]

    init(of entity: PluginEntity) {
      schemaKey = Array(entity.schemaKey.utf8)
      entityID = Array(entity.entityID.utf8)
    }
  }

  /// The entities of `after` that are new or other than in `before`, in their order; then those of
  /// `before` that are gone. `isSame` compares two contents.
  static func changes(
    from before: [PluginEntity], to after: [PluginEntity],
    isSame: (PluginEntity, PluginEntity) -> Bool
  ) -> [PluginEntity] {
    var left = Dictionary(before.map { (ID(of: $0), $0) }, uniquingKeysWith: { first, _ in first })
    var changes = after.filter { entity in
      guard let old = left.removeValue(forKey: ID(of: entity)) else { return true }
      return old.schemaVersion != entity.schemaVersion || !isSame(old, entity)
    }
    // In the order of `before`, so that equal arguments give equal results.
    for var entity in before where left.removeValue(forKey: ID(of: entity)) != nil {
      entity.content = nil
      changes.append(entity)
    }
    return changes
  }
}
