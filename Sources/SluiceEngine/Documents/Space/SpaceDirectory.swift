// The spaces of one directory. Whoever in the process asks for a space gets the same one, so it has
// one writer.

internal import SluiceSystem

package final class SpaceDirectory: Sendable {
  private let place: DatabasePlace
  private let notary: SpaceNotary
  private let options: SpaceOptions
  private let spaces = FutexLock<[SpaceName: Space]>([:])

  package init(
    _ place: DatabasePlace, _ notary: SpaceNotary, options: SpaceOptions = SpaceOptions()
  ) {
    self.place = place
    self.notary = notary
    self.options = options
  }

  /// The space of that name, which is opened if it is not open. Throws `noSuchSpace` if it is not
  /// there, unless `creates`.
  package func space(_ name: SpaceName, creates: Bool = false) throws(SpaceError) -> Space {
    try spaces.withLock { (spaces) throws(SpaceError) in
      if let space = spaces[name] { return space }
      let space = try Space(name, at: place, creates: creates, notary, options)
      spaces[name] = space
      return space
    }
  }

  /// Closes all spaces. No call on one may be under way or come.
  package func close() {
    let all = spaces.withLock { spaces in
      defer { spaces = [:] }
      return Array(spaces.values)
    }
    for space in all { space.close() }
  }
}
