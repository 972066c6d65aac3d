// `sluice engine --plugin`: the processes of an engine begin and end with it.

import CEngine
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

  @Test(arguments: [SIGTERM, SIGKILL]) func noProcessOutlivesTheEngine(_ signal: Int32) throws {
    let library = try libraries.make("outliving")
    let engine = try start("--plugin", library)
    defer { kill(engine, SIGKILL) }
    #expect(eventually { output().contains("SQL for") })
    // The nursery, and a process that waits for a call. Not the engine itself.
    #expect(eventually { processes(with: library).count == 2 })
    #expect(!processes(with: library).contains(engine))
    kill(engine, signal)
    _ = waitpid(engine, nil, 0)
    #expect(eventually { processes(with: library).isEmpty })
  }

  /// The engine, which may make no process, writes a file with the plugin after that was killed.
  @Test func aConfinedEngineGetsAnotherNursery() throws {
    let library = try libraries.make(
      "program", detect: "while (after->byte_count == 1) sleep(1); emit(host, \"a\", \"{}\");")
    let engine = try EngineProgram("--plugin", library, "--plugin-seconds", "60")
    let connection = try engine.connect(options: .state)
    let write = "INSERT INTO file(path, data) VALUES(?, ?)"
    for round in 0..<3 {
      try connection.rows(write, .text("/\(round).t"), .blob([]))
      for process in processes(with: library) { kill(process, SIGKILL) }
    }
    #expect(try connection.rows("SELECT count(*) FROM file") == [[3]])

    // A cancel, and the end of a client, reach the plugin.
    let box = Handed(connection)
    let cancelling = try onThread {
      _ = eventually { processes(with: library).count == 3 }
      box.value.cancel()
    }
    let failure = connection.failure(write, .text("/x.t"), .blob([1]))
    cancelling.join()
    #expect(failure?.code == SQLITE_INTERRUPT)
    #expect(failure?.text == "interrupted in a call of plugin program")
    #expect(eventually { processes(with: library).count == 2 })
    let gone = Handed(try engine.connect(options: .state))
    let waiting = try onThread { _ = gone.value.failure(write, .text("/y.t"), .blob([1])) }
    #expect(eventually { processes(with: library).count == 3 })
    gone.value.end()
    waiting.join()
    #expect(eventually { processes(with: library).count == 2 })
    #expect(try connection.rows("SELECT count(*) FROM file") == [[3]])
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
