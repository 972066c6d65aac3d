// Engines for SQL in a test's directory.

import Foundation
import Testing

extension Fixture {
  static let engineProgram = build.appending(path: "bin/sluice-engine").path
  static let libraryDirectory = build.appending(path: "lib").path
  static let pythonModules = repository.appending(path: "Tools/python").path

  private static let repository = URL(filePath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent()

  var engineSocket: URL { directory.appending(path: "engine") }

  /// Starts an engine whose databases lie in `root`, and waits until it is ready. What runs is the
  /// engine itself, so that it can be killed.
  func startEngine() throws -> ChildProcess {
    let engine = try start([
      Fixture.engineProgram, "--root", root.path, "--socket", engineSocket.path,
    ])
    guard eventually({ engine.output.contains("SQL for") || !engine.isRunning }), engine.isRunning
    else { throw Overdue("the engine did not start: \(engine.errors)") }
    return engine
  }

  /// What a program with the C interface or the Python module needs in its environment.
  func engineEnvironment(private isPrivate: Bool = false) -> [String: String] {
    var variables = [
      "LD_LIBRARY_PATH": Fixture.libraryDirectory, "PYTHONPATH": Fixture.pythonModules,
      "SLUICE_SQL_LIBRARY": Fixture.libraryDirectory + "/libsluice-sql.so",
    ]
    if !isPrivate { variables["SLUICE_SQL_SOCKET"] = engineSocket.path }
    return variables
  }

  /// Compiles a C program with `sluice.h`.
  func compileSQL(_ name: String, _ source: String) throws -> String {
    try compile(name, source, library: "sluice-sql")
  }

  /// Compiles a C program with `sluice_records.h`.
  func compileRecords(_ name: String, _ source: String) throws -> String {
    try compile(name, source, library: "sluice-records")
  }

  private func compile(_ name: String, _ source: String, library: String) throws -> String {
    try compile(
      name, source,
      [
        "-Wall", "-Wextra", "-Werror", "-I\(Fixture.build.path)/include",
        "-L\(Fixture.libraryDirectory)", "-l\(library)", "-lpthread",
      ])
  }

  static func text(of path: String) throws -> String {
    try String(contentsOf: repository.appending(path: path), encoding: .utf8)
  }

  static func path(_ path: String) -> String { repository.appending(path: path).path }
}
