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
