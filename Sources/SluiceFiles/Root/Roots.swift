// The directories that a sidecar serves, the root and the also-directories, and where in them a
// client's path leads.
//
// A path that begins with the host's path of one of them, as text, begins there; with those of
// several, in the innermost. Any other path begins in the root. The text only proposes: the kernel
// walks the rest beneath that directory (openat2), without leaving it. A path is split into a
// directory, which the kernel resolves, and one last component, which no later call follows if it
// is a link. A step that the kernel refuses is looked at in Roots+Links.
//
// A directory within another one has at least the rights of that one. So it does not matter for
// safety by which of the two a file was found.

internal import SluiceChannel
internal import SluiceServer
internal import SluiceSystem
internal import SluiceWire

struct Roots: Sendable {
  let main: Root
  /// The also-directories.
  let others: [Root]
  private let hasNested: Bool

  init(_ main: Root, _ others: [Root] = []) throws(Errno) {
    self.main = main
    self.others = others
    var own: [[UInt8]] = []
    for root in [main] + others { own.append(try root.ownPath()) }
    hasNested = own.enumerated().contains { outer in
      own.enumerated().contains {
        $0.offset != outer.offset && isBeneath($0.element, outer.element)
      }
    }
  }

  /// Two of them, as paths, where the first lies in the second and has fewer rights.
  func contradiction() throws(Errno) -> (inner: [UInt8], outer: [UInt8])? {
    for inner in others where inner.isReadOnly {
      for outer in [main] + others where !outer.isReadOnly {
        let paths = (try inner.ownPath(), try outer.ownPath())
        if isBeneath(paths.0, paths.1) { return paths }
      }
    }
    return nil
  }

  /// Allows what a sidecar does with files.
  func allowItsUse(in ruleset: borrowing LandlockRuleset) throws(Errno) {
    try main.allowItsUse(in: ruleset)
    for root in others { try root.allowItsUse(in: ruleset) }
  }

  // MARK: Where a path leads

  /// The directory and name that `path` stands for. The directory must exist, the name need not.
  func locate(_ path: [UInt8]) throws(FileError) -> Location {
    let parts = try split(path)
    return Location(
      directory: try openDirectory(parts.directory), name: try nameComponent(parts.name))
  }

  /// The directory that `path` stands for if it has no name for it: `/`, `.` or `sub/..`.
  func locateDirectory(_ path: [UInt8]) throws(FileError) -> Location {
    let parts = try split(path + [UInt8(ascii: "/")])
    return Location(
      directory: try openDirectory(parts.directory),
      name: [CChar(bitPattern: UInt8(ascii: ".")), 0])
  }

  /// The last component of `path`, for use in a directory that is open already.
  func nameComponent(_ name: ArraySlice<UInt8>) throws(FileError) -> [CChar] {
    guard !name.isEmpty, !name.elementsEqual(".".utf8), !name.elementsEqual("..".utf8) else {
      throw .system(.isDirectory)
    }
    guard name.count <= 255 else { throw .system(.nameTooLong) }
    return name.map { CChar(bitPattern: $0) } + [0]
  }

  // MARK: Full names

  /// The path under which all programs, stock ones included, know the file that `path` leads to:
  /// the host's path, with no link, `.` or `..` in it. SQLite writes such names into
  /// super-journals, and a program that finds one there must find the file. The file, or even its
  /// directory, need not exist.
  func fullPathname(_ path: [UInt8]) throws(FileError) -> (path: [UInt8], isThroughLink: Bool) {
    // The VFS asks for this before each database that it opens.
    if path.count == 1, path.first == UInt8(ascii: "/") {
      return (try self.path(of: main), false)
    }
    let plain = try textualPath(of: path)
    var current = path
    for _ in 0..<40 {
      do throws(FileError) {
        guard let next = try fullPathnameStep(&current) else { continue }
        return (next, next != plain)
      } catch .system(.noEntry) {
        // No such directory: opening the file will say so. But with `..` resolved in the text, as
        // SQLite's own VFS does it, there may be one, and even a link.
        let missing = try textualPath(of: current)
        if missing == current { return (missing, missing != plain) }
        current = missing
      }
    }
    throw .system(.tooManyLinks)
  }

  /// The host's path that `path` stands for if it leads through no links.
  private func textualPath(of path: [UInt8]) throws(FileError) -> [UInt8] {
    let place = try beginning(of: path)
    return joined(place.own, normalized(place.path))
  }

  /// Either the full name, or nil with `path` led one link further.
  private func fullPathnameStep(_ path: inout [UInt8]) throws(FileError) -> [UInt8]? {
    let parts = try split(path)
    let name: [CChar]
    do throws(FileError) {
      name = try nameComponent(parts.name)
    } catch .system(.isDirectory) {
      let directory = try openDirectory(try split(path + [UInt8(ascii: "/")]).directory)
      return try directory.root.knownPath(of: directory.descriptor)
    }
    let directory = try openDirectory(parts.directory)
    let known = try directory.root.knownPath(of: directory.descriptor)
    guard let target = try linkTarget(name, in: directory) else {
      return joined(known, Array(parts.name))
    }
    if target.first != UInt8(ascii: "/") {
      path = joined(known, target)
      return nil
    }
    guard try served(target) != nil else { throw .outsideRoot }
    path = target
    return nil
  }

  /// The target of the link `name`; nil for a file that is no link, or yet to be made.
  private func linkTarget(
    _ name: [CChar], in directory: Directory
  ) throws(FileError) -> [UInt8]? {
    do throws(Errno) {
      guard try unsafe directory.descriptor.status(of: name).isSymbolicLink else { return nil }
      return try unsafe directory.descriptor.readLink(name)
    } catch .noEntry {
      return nil
    } catch {
      throw .system(error)
    }
  }

  // MARK: Parts

  /// A path in one of the directories.
  struct Place {
    let root: Root
    /// The root's own path on the host.
    let own: [UInt8]
    /// The path from there; a leading slash means the root.
    var path: [UInt8]
  }

  /// The innermost of the directories with whose path `path` begins, and the rest. Nil if `path`
  /// begins with none.
  func served(_ path: [UInt8]) throws(FileError) -> Place? {
    var found = try place(of: path, in: main)
    if path.first != UInt8(ascii: "/") { return found }
    for root in others {
      guard let place = try place(of: path, in: root) else { continue }
      if found.map({ $0.own.count < place.own.count }) ?? true { found = place }
    }
    return found
  }

  private func place(of path: [UInt8], in root: Root) throws(FileError) -> Place? {
    let own = try self.path(of: root)
    let inner = root.usesHostPaths ? path : root.innerPath(of: path, own)
    return inner.map { Place(root: root, own: own, path: $0) }
  }

  private func path(of root: Root) throws(FileError) -> [UInt8] {
    try system { () throws(Errno) in try root.ownPath() }
  }

  /// Where the kernel begins its walk of `path`.
  private func beginning(of path: [UInt8]) throws(FileError) -> Place {
    if let place = try served(path) { return place }
    return Place(root: main, own: try self.path(of: main), path: path)
  }

  private func split(
    _ path: [UInt8]
  ) throws(FileError) -> (directory: Place, name: ArraySlice<UInt8>) {
    guard path.count <= ChannelShape.pathByteCountMaximum else { throw .system(.nameTooLong) }
    guard !path.isEmpty else { throw .system(.noEntry) }
    guard !path.contains(0) else { throw .system(.invalid) }
    var place = try beginning(of: path)
    let whole = place.path
    let slash = whole.lastIndex(of: UInt8(ascii: "/"))
    place.path = Array(whole[..<(slash ?? 0)])
    return (place, whole[(slash.map { $0 + 1 } ?? 0)...])
  }

  private func openDirectory(_ place: Place) throws(FileError) -> Directory {
    var place = place
    for _ in 0..<40 {
      do throws(FileError) {
        return innermost(try place.root.openDirectory(place.path[...]))
      } catch .outsideRoot {
        place = try self.place(behind: place)
      }
    }
    throw .system(.tooManyLinks)
  }

  /// The directory, found beneath the innermost root that it lies in, which may have more rights.
  private func innermost(_ directory: Directory) -> Directory {
    guard hasNested, let path = try? pathOfDirectory(directory.descriptor.rawValue),
      let place = try? served(path), place.root !== directory.root,
      let inner = try? place.root.openDirectory(place.path[...]),
      let its = try? inner.descriptor.status(), let ours = try? directory.descriptor.status(),
      FileIdentity(its) == FileIdentity(ours)
    else { return directory }
    return inner
  }
}
