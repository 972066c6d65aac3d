// Any name, looked for beneath a root whose links lead to and fro, and out. A walk through a model
// of the tree says beforehand where a name leads. No name ever reaches a file outside.

import CSluice
import Foundation
import SluiceSystem

@testable import SluiceFiles

struct PathTarget: FuzzTarget {
  static let name = "paths"

  private let tree: FuzzTree
  private let roots: Roots
  private let model: PathModel

  init() throws {
    tree = try FuzzTree()
    roots = try Roots(Root(tree.rootPath.utf8.map { CChar(bitPattern: $0) } + [0]))
    model = PathModel()
    for directory in PathModel.directories { try tree.makeDirectory(directory) }
    for (name, target) in PathModel.links {
      try tree.makeLink(name, to: PathModel.target(target, root: tree.rootPath))
    }
    for file in PathModel.files { try tree.makeFile(file) }
  }

  /// Each step alone, and each step beneath a directory.
  static func seeds(from vectors: SeedVectors) -> [[UInt8]] {
    PathModel.words.indices.flatMap { word -> [[UInt8]] in
      let word = UInt8(0x80 + word)
      return [[word], [0x80, 0x2f, word], [word, 0x2f, 0x80, 0x2f, 0x83]]
    } + vectors.arguments.filter { $0.count < 100 }
  }

  func run(_ input: [UInt8]) {
    let path = path(input)
    checkLocation(path)
    checkFullName(path)
    require(tree.isUntouched, "something outside the root was touched by \(path)")
  }

  /// High bytes mean words that occur in the tree; 0xff means the root's own path.
  private func path(_ input: [UInt8]) -> [UInt8] {
    input.flatMap { byte -> [UInt8] in
      if byte == 0xff { return Array(tree.rootPath.utf8) }
      guard byte >= 0x80 else { return [byte] }
      return Array(PathModel.words[Int(byte - 0x80) % PathModel.words.count].utf8)
    }
  }

  private func checkLocation(_ path: [UInt8]) {
    var linkCount = 0
    let expected = model.locate(path, root: tree.rootPath, &linkCount)
    do throws(FileError) {
      let location = try roots.locate(path)
      guard let real = try? pathOfDirectory(location.directory.descriptor.rawValue) else {
        broken("a directory without a path")
      }
      let name = location.name.dropLast().map { UInt8(bitPattern: $0) }
      let found = PathModel.Place.found(
        String(decoding: real.dropFirst(tree.rootPath.utf8.count), as: UTF8.self), name)
      require(real.starts(with: tree.rootPath.utf8), "\(path) leads to \(real)")
      // The kernel counts the links anew when the sidecar has followed an absolute one.
      if expected == .refused(.system(.tooManyLinks)) { return }
      require(found == expected, "\(path) is \(found), not \(expected)")
    } catch {
      // The kernel starts its walk up to three times, and counts a link again each time.
      if error == .system(.tooManyLinks), linkCount > 40 / 3 { return }
      require(expected == .refused(error), "\(path) is refused as \(error), not \(expected)")
    }
  }

  /// A full name is beneath the root, contains no links, and is its own full name.
  private func checkFullName(_ path: [UInt8]) {
    guard let full = try? roots.fullPathname(path).path else { return }
    require(
      full.starts(with: tree.rootPath.utf8), "the full name of \(path) is outside: \(full)")
    guard full.count <= 1024 else { return }
    do throws(FileError) {
      let again = try roots.fullPathname(full)
      require(again.path == full, "\(full) is not its own full name, but \(again.path)")
    } catch {
      broken("the full name \(full) of \(path) has none: \(error)")
    }
  }
}

/// The tree as a list, and the walk through it.
struct PathModel {
  static let directories = ["sub", "sub/deep", "other"]
  static let files = ["a.db", "sub/a.db", "sub/deep/x.db"]
  static let links = [
    ("in", "sub/deep"), ("up", "sub/.."), ("sub/back", "../other"), ("out", "../outside"),
    ("sub/out", "../../outside"), ("absolute", "/etc"), ("loop", "loop"), ("chain", "in"),
    ("chain2", "chain/../../up"), ("to-file", "sub/a.db"), ("dangling", "nowhere/x"),
    ("self", "."), ("current", "*/sub/deep"), ("sub/home", "*"), ("around", "*/around"),
    ("leap", "*/../outside"), ("beside", "*2/sub"), ("hop", "current/../home"),
  ]
  /// The links that hold the root's own path have a star in its place.
  static func target(_ text: String, root: String) -> String {
    text.hasPrefix("*") ? root + text.dropFirst() : text
  }
  static let words =
    [
      "sub", "sub/deep", "..", "a.db", "nowhere", ".", "/", "//", "other", "deep", "back", "x.db",
      "home",
    ]
    + links.map { $0.0 } + ["../outside", "outside", "proc/self/root", "sentinel"]

  enum Place: Equatable {
    /// The directory's path beneath the root, empty for the root itself, and the name.
    case found(String, [UInt8])
    case refused(FileError)
  }

  /// The place where Roots should find `path`, and the number of links on the way.
  func locate(_ path: [UInt8], root: String, _ linkCount: inout Int) -> Place {
    if path.count > 1024 { return .refused(.system(.nameTooLong)) }
    if path.isEmpty { return .refused(.system(.noEntry)) }
    if path.contains(0) { return .refused(.system(.invalid)) }
    var inside = path[...]
    if path.starts(with: root.utf8) {
      let rest = path.dropFirst(root.utf8.count)
      if rest.isEmpty { inside = [0x2f] } else if rest.first == 0x2f { inside = rest }
    }
    let slash = inside.lastIndex(of: 0x2f)
    let name = Array(slash.map { inside[($0 + 1)...] } ?? inside)
    var directory: [String] = []
    let parts = slash.map { inside[..<$0] } ?? []
    for part in parts.split(separator: 0x2f) {
      if let refusal = walk(Array(part), &directory, &linkCount) { return .refused(refusal) }
    }
    let isName = !name.isEmpty && name != Array(".".utf8) && name != Array("..".utf8)
    if !isName { return .refused(.system(.isDirectory)) }
    if name.count > 255 { return .refused(.system(.nameTooLong)) }
    return .found(directory.map { "/" + $0 }.joined(), name)
  }

  /// Makes one step. Returns the reason if it cannot.
  private func walk(
    _ part: [UInt8], _ directory: inout [String], _ linkCount: inout Int
  ) -> FileError? {
    let step = String(decoding: part, as: UTF8.self)
    if step == "." { return nil }
    if step == ".." { return directory.popLast() == nil ? .outsideRoot : nil }
    if part.count > 255 { return .system(.nameTooLong) }
    let place = (directory + [step]).joined(separator: "/")
    if Self.directories.contains(place) {
      directory.append(step)
      return nil
    }
    if Self.files.contains(place) { return .system(.notDirectory) }
    guard let text = Self.links.first(where: { $0.0 == place })?.1 else {
      return .system(.noEntry)
    }
    linkCount += 1
    if linkCount > 40 { return .system(.tooManyLinks) }
    if text.hasPrefix("/") || text.hasPrefix("*2") { return .outsideRoot }
    if text.hasPrefix("*") { directory = [] }
    for part in text.utf8.drop(while: { $0 == UInt8(ascii: "*") }).split(separator: 0x2f) {
      if let refusal = walk(Array(part), &directory, &linkCount) { return refusal }
    }
    return nil
  }
}
