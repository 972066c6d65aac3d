// `sluice engine --plugin`: the processes of an engine begin and end with it.

import Foundation
import Glibc
import TestSupport
import Testing

@testable import SluiceEngine

@Suite(.timeLimit(.minutes(2))) struct PluginProgramTests {
  private let libraries: PluginLibraries

  init() throws { libraries = try PluginLibraries() }

  private func output(_ suffix: String = "") -> String {
    (try? String(
      contentsOfFile: libraries.directory.appending(path: "output").path + suffix, encoding: .utf8))
      ?? ""
  }

  private func start(_ words: String...) throws -> pid_t {
    let build =
      ProcessInfo.processInfo.environment["SLUICE_BUILD"].map { URL(filePath: $0) }
      ?? repositoryFile("build")
    return try spawnProgram(
      [build.appending(path: "bin/sluice").path, "engine", "--root", libraries.directory.path]
        + ["--socket", libraries.directory.appending(path: "socket").path] + words,
      output: libraries.directory.appending(path: "output").path)
  }

  /// The processes that have this library in their memory.
  private func processes(with library: String) -> [String] {
    ((try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []).filter { id in
      Int(id) != nil
        && (try? String(contentsOfFile: "/proc/\(id)/maps", encoding: .utf8))?.contains(library)
          == true
    }
  }

  @Test(arguments: [SIGTERM, SIGKILL]) func noProcessOutlivesTheEngine(_ signal: Int32) throws {
    let library = try libraries.make("outliving")
    let engine = try start("--plugin", library)
    defer { kill(engine, SIGKILL) }
    #expect(eventually { output().contains("SQL for") })
    // The nursery, and a process that waits for a call. Not the engine itself.
    #expect(eventually { processes(with: library).count == 2 })
    #expect(!processes(with: library).contains("\(engine)"))
    kill(engine, signal)
    _ = waitpid(engine, nil, 0)
    #expect(eventually { processes(with: library).isEmpty })
  }

  @Test func aPluginThatCannotBeLoadedEndsTheStart() throws {
    let engine = try start("--plugin", libraries.directory.path + "/none.so")
    var status: Int32 = 0
    let hasEnded = eventually { unsafe waitpid(engine, &status, WNOHANG) == engine }
    #expect(hasEnded)
    #expect(status != 0)
    #expect(output("-errors").contains("none.so"))
    #expect(output() == "")
  }
}
