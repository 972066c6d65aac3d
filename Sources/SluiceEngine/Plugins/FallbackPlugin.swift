// Keeps the whole content of a file as one entity. It is called where no plugin matches.

final class FallbackPlugin: Plugin {
  let key = "fallback"
  let globs: [String] = []
  let canBuild = true
  let schemas = [whole.schema]

  private static let whole = WholeContent(schemaKey: "file_content", plugin: "fallback")

  func detectChanges(
    before: PluginFile?, after: PluginFile, _ state: any StateReader,
    _ interruption: Interruption
  ) throws(PluginError) -> [PluginEntity] {
    if let before, before.data == after.data { return [] }
    return [try Self.whole.entity(of: after.data)]
  }

  func applyChanges(
    _ file: PluginFile, _ entities: [PluginEntity], _ interruption: Interruption
  ) throws(PluginError) -> [UInt8] {
    try Self.whole.bytes(in: entities) ?? []
  }
}
