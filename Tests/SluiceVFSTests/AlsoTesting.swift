// What the tests of `--also` share: a place with a root, a directory that is served also, one that is
// not, and links between them.

import Foundation
import Testing

protocol AlsoTesting {}

extension AlsoTesting {
  /// `root/data/app`; `outside`, which is served also, with `x.db` and `sub`; `none`, which is not
  /// served, with `secret.db`; and links from each to each.
  func makePlace() throws -> Fixture {
    let fixture = try Fixture()
    let files = FileManager.default
    for directory in ["root/data/app", "outside/sub", "none", "scratch/work"] {
      try files.createDirectory(
        at: fixture.directory.appending(path: directory), withIntermediateDirectories: true)
    }
    try fixture.makeDatabase(fixture.outside.appending(path: "x.db"))
    try fixture.makeDatabase(fixture.directory.appending(path: "none/secret.db"), count: 7)
    let base = fixture.directory.path
    for (name, target) in [
      ("root/out", "../outside"), ("root/abs", base + "/outside"),
      ("root/data/x.db", "../../outside/x.db"), ("root/abs.db", base + "/outside/x.db"),
      ("root/new.db", base + "/outside/sub/new.db"), ("root/none", base + "/none"),
      ("outside/home", base + "/root/data"), ("outside/back", "../root/data"),
      ("outside/none", "../none"), ("outside/secret.db", base + "/none/secret.db"),
      ("outside/sub/up", "../../root"), ("scratch/work/l", "../../outside"),
      ("scratch/work/none", "../../none"),
    ] {
      try files.createSymbolicLink(
        atPath: fixture.directory.appending(path: name).path, withDestinationPath: target)
    }
    return fixture
  }

  /// Runs an unmodified program in `place`, with `options` for the sidecar besides `--root`.
  func run(
    _ fixture: Fixture, in place: String, _ options: [String], _ command: [String],
    own: [String] = []
  ) throws -> Outcome {
    try fixture.run(
      [Fixture.program, "run"] + own + ["--root", fixture.root.path] + options + ["--"] + command,
      ["SLUICE_LIBRARY": Fixture.library, "TMPDIR": fixture.scratch.path],
      in: fixture.directory.appending(path: place))
  }

  func also(_ fixture: Fixture, _ suffix: String = "") -> [String] {
    ["--also", fixture.outside.path + suffix]
  }

  func python(_ script: String, _ arguments: [String] = []) -> [String] {
    [
      Fixture.pythonProgram, "-c",
      """
      import os, sqlite3, sys
      def result(f, *a):
          try: f(*a); return "OK"
          except sqlite3.Error as e: return e.sqlite_errorname
      """ + "\n" + script,
    ] + arguments
  }

  /// What is in a directory.
  func picture(_ directory: URL) throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: directory.path).sorted().map {
      let facts = try FileManager.default.attributesOfItem(
        atPath: directory.appending(path: $0).path)
      return "\($0) \(facts[.size]!) \(facts[.modificationDate]!)"
    }
  }
}
