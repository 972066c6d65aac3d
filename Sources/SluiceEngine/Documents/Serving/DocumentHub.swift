// The spaces that are open in this engine, by directory and name: whoever in the process asks for one
// gets the same, so that it has one writer. A space stays open as long as the engine runs, because its
// documents in memory are worth more than its descriptors.
//
// Threads: any.

internal import SluiceSystem

package final class DocumentHub: Sendable {
  private let place: DatabasePlace
  private let options: SpaceOptions
  package let notary: SpaceNotary
  private let open = FutexLock(Open())

  private struct Open {
    var directories: [[UInt8]: SpaceDirectory] = [:]
    var names: Set<Key> = []
  }

  private struct Key: Hashable {
    var directory: [UInt8]
    var name: SpaceName
  }

  /// The most spaces that one engine has open.
  static let spaceCountMax = 1024

  package init(at place: DatabasePlace, key: SigningKey, options: SpaceOptions = SpaceOptions()) {
    self.place = place
    self.options = options
    notary = SpaceNotary(key)
  }

  deinit { for directory in open.withLock({ Array($0.directories.values) }) { directory.close() } }

  /// The space of that name in a directory of the engine's place; empty for the place's own. It is made
  /// if it is not there and `creates`. Blocks on the disk.
  package func space(
    _ name: SpaceName, in directory: [UInt8], creates: Bool
  ) throws(SpaceError) -> Space {
    let directory = Self.normalised(directory)
    let key = Key(directory: directory, name: name)
    let (spaces, isKnown) = try open.withLock {
      (open) throws(SpaceError) -> (SpaceDirectory, Bool) in
      let isKnown = open.names.contains(key)
      guard isKnown || open.names.count < Self.spaceCountMax else {
        throw SpaceError(.limitReached, "the engine has \(Self.spaceCountMax) spaces open")
      }
      if let spaces = open.directories[directory] { return (spaces, isKnown) }
      // Of a directory that has no space, nothing is kept.
      return (SpaceDirectory(place.below(directory), notary, options: options), false)
    }
    let space = try spaces.space(name, creates: creates)
    if isKnown { return space }
    return try open.withLock { (open) throws(SpaceError) -> Space in
      if let earlier = open.directories[directory], earlier !== spaces {
        // Another thread was faster, and its space is the one.
        spaces.close()
        open.names.insert(key)
        return try earlier.space(name, creates: creates)
      }
      open.directories[directory] = spaces
      open.names.insert(key)
      return space
    }
  }

  /// One spelling of each path, as far as the path alone tells.
  private static func normalised(_ directory: [UInt8]) -> [UInt8] {
    let slash = UInt8(ascii: "/")
    let parts = directory.split(separator: slash).filter { $0 != [UInt8(ascii: ".")] }
    return (directory.first == slash ? [slash] : []) + parts.joined(separator: [slash])
  }
}
