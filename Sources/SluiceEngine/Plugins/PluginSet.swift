// The plugins of an engine, in the order of registration: the operator's libraries first, in the order
// in which they were named, then the built-in ones. A library with the key of a built-in plugin takes
// its place.

internal import CEngine

package struct PluginSet: Sendable {
  private let plugins: [any Plugin]
  /// Keeps a file that no plugin matches.
  let fallback: any Plugin

  init(_ plugins: [any Plugin]) {
    self.plugins = plugins
    fallback = FallbackPlugin()
  }

  /// Those that need no library.
  package static var builtIn: PluginSet { PluginSet(libraries: []) }

  init(libraries: [any Plugin]) {
    let builtIn: [any Plugin] = [JSONPlugin(), LinesPlugin()]
    self.init(
      libraries + builtIn.filter { plugin in !libraries.contains { $0.key == plugin.key } })
  }

  /// With the plugins of libraries, which run in processes of their own (ProcessPlugin), each call for
  /// at most `secondsMaximum`. To be called before this process has other threads.
  package init(
    loading libraries: [String], confines: Bool = true, secondsMaximum: Int = 10
  ) throws(PluginError) {
    guard !libraries.isEmpty else {
      self = .builtIn
      return
    }
    let (nursery, descriptions) = try PluginNursery.load(libraries, confines: confines)
    self.init(
      libraries: descriptions.enumerated().map { index, description in
        ProcessPlugin(description, secondsMaximum: secondsMaximum) { () throws(PluginError) in
          try nursery.makeProcess(for: index)
        }
      })
    for (library, description) in zip(libraries, descriptions) {
      if let reason = conflict(of: description) {
        throw PluginError(message: "plugin \(library): \(reason)")
      }
    }
  }

  /// Why a plugin cannot be beside the others.
  private func conflict(of description: PluginDescription) -> String? {
    if description.key == fallback.key || plugins.count(where: { $0.key == description.key }) > 1 {
      return "another plugin has the key \(description.key)"
    }
    for plugin in plugins + [fallback] where plugin.key != description.key {
      for schema in plugin.schemas
      where description.schemas.contains(where: { $0.key == schema.key }) {
        return "plugin \(plugin.key) has the schema \(schema.key) too; a schema is one plugin's"
      }
    }
    return nil
  }

  /// The plugins that match a path. The first of them with `canBuild` builds the file.
  func matching(path: String) -> [any Plugin] {
    plugins.filter { plugin in
      plugin.globs.contains { glob in unsafe sqlite3_strglob(glob, path) == 0 }
    }
  }

  /// The plugin of this key, the fallback's too.
  func plugin(named key: String) -> (any Plugin)? {
    key == fallback.key ? fallback : plugins.first { $0.key == key }
  }
}
