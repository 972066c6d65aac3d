// Random paths through directories that are served, and links between them, against a plain walk
// through the same tree.

import Foundation
import SluiceSystem
import TestSupport
import Testing

@testable import SluiceFiles

struct RootsTests {
  /// The root lies in `wide`, which is read only besides; `far` is served too, `none` is not.
  private static let served = ["wide/root", "wide", "far"]
  private static let directories = [
    "wide/root/sub/deep", "wide/root/other", "wide/open/shut", "far/lib/inner", "none/hidden",
  ]
  /// A star stands for the place of all.
  private static let links = [
    ("wide/root/abs", "*/far/lib"), ("wide/root/rel", "../../far"), ("wide/root/up", "sub/.."),
    ("wide/root/out", "../../none"), ("wide/root/sub/leap", "*/none/hidden"),
    ("wide/root/open", "../open"), ("wide/root/twice", "abs/inner"),
    ("wide/root/loop", "*/far/loop"), ("far/loop", "../wide/root/loop"),
    ("far/home", "../wide/root/sub"), ("far/lib/abs", "*/wide"), ("far/lib/out", "../../none"),
    ("wide/open/root", "../root"), ("wide/open/deep", "root/sub/deep"),
    ("wide/open/far", "*/far/home/../abs"), ("wide/open/shut/out", "../../../none/hidden"),
    ("far/top", "*"), ("far/lib/inner/around", "../../../far/lib"),
  ]
  private static let words =
    [
      "sub", "deep", "other", "shut", "lib", "inner", "hidden", "..", ".", "nowhere", "wide",
      "root",
    ]
    + links.map { String($0.0.split(separator: "/").last!) }

  private let base: String
  private let roots: Roots

  init() throws {
    let place = FileManager.default.temporaryDirectory.resolvingSymlinksInPath()
      .appending(path: "sluice-\(UUID().uuidString.prefix(8))").path
    base = place
    for directory in Self.directories {
      try FileManager.default.createDirectory(
        atPath: base + "/" + directory, withIntermediateDirectories: true)
    }
    for (name, target) in Self.links {
      try FileManager.default.createSymbolicLink(
        atPath: base + "/" + name,
        withDestinationPath: target.replacingOccurrences(of: "*", with: base))
    }
    func path(_ index: Int) -> [CChar] { Array((place + "/" + Self.served[index]).utf8CString) }
    let main = try Root(path(0))
    roots = try Roots(
      main,
      [
        Root(path(1), isReadOnly: true, besides: main),
        Root(path(2), isReadOnly: false, besides: main),
      ])
  }

  private func steps(_ path: String) -> [String] { path.split(separator: "/").map(String.init) }

  /// The innermost directory that is served and with whose path this one begins.
  private func served(_ path: [String]) -> Int? {
    Self.served.indices.first { path.starts(with: steps(base + "/" + Self.served[$0])) }
  }

  /// The directory to which `rest` leads from `start`; nil if the walk leaves what is served, goes
  /// through too many links, or finds nothing. It may come back only by a path that begins there.
  private func walk(_ rest: [String], from start: [String]) -> [String]? {
    var here = start
    var rest = rest
    var linkCount = 0
    while !rest.isEmpty {
      let step = rest.removeFirst()
      if step == "." { continue }
      let path = "/" + (here + [step]).joined(separator: "/")
      if step == ".." {
        here.removeLast()
      } else if let target = try? FileManager.default.destinationOfSymbolicLink(atPath: path) {
        linkCount += 1
        if linkCount > 8 { return nil }
        rest = steps(target) + rest
        if !target.hasPrefix("/") { continue }
        here = []
      } else if FileManager.default.fileExists(atPath: path) {
        here.append(step)
      } else {
        return nil
      }
      if served(here) == nil {
        while rest.first == ".." || rest.first == "." {
          if rest.removeFirst() == "..", !here.isEmpty { here.removeLast() }
        }
        guard let index = served(here + rest) else { return nil }
        let whole = here + rest
        here = steps(base + "/" + Self.served[index])
        rest = Array(whole.dropFirst(here.count))
      }
    }
    return here
  }

  @Test func everyPathLeadsWhereTheHostsWalkDoesOrIsRefused() throws {
    defer { try? FileManager.default.removeItem(atPath: base) }
    var random = SeededRandom(for: "RootsTests")
    var foundCount = 0
    var refusedCount = 0
    for _ in 0..<20_000 {
      let words = (0..<Int.random(in: 0..<6, using: &random)).map { _ in
        Self.words.randomElement(using: &random)!
      }
      // From the root without a name, or by the host's name of a directory that is served.
      let index = Int.random(in: -1..<Self.served.count, using: &random)
      let start = base + "/" + Self.served[max(index, 0)]
      let inner = (words + ["x.db"]).joined(separator: "/")
      let name = index < 0 ? inner : start + "/" + inner
      let expected = walk(words, from: steps(start))
      let location: Location
      do throws(FileError) {
        location = try roots.locate(Array(name.utf8))
      } catch {
        try #require(expected == nil, "\(name): \(error)")
        refusedCount += 1
        continue
      }
      foundCount += 1
      let found = String(
        decoding: try pathOfDirectory(location.directory.descriptor.rawValue), as: UTF8.self)
      try #require(steps(found) == expected, "\(name) leads to \(found)")
      try #require(location.isReadOnly == (served(steps(found)) == 1), "\(name) in \(found)")
      let full = try roots.fullPathname(Array(name.utf8)).path
      try #require(full == Array((found + "/x.db").utf8), "\(name)")
      try #require(try roots.fullPathname(full).path == full)
    }
    #expect(foundCount > 1000 && refusedCount > 1000, "\(foundCount), \(refusedCount)")
  }
}
