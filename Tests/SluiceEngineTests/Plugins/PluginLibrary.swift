// Plugins in C for tests: compiled, loaded by a nursery of this process, and looked after.

import Foundation
import TestSupport
import Testing

@testable import SluiceEngine

/// A directory with libraries, which goes with this.
final class PluginLibraries {
  let directory: URL

  init() throws {
    directory = FileManager.default.temporaryDirectory.resolvingSymlinksInPath()
      .appending(path: "sluice-plugins-\(UUID().uuidString.prefix(8))")
    try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(at: directory) }

  /// The library of a source file.
  func compile(_ source: URL, as name: String) throws -> String {
    let library = directory.appending(path: name + ".so").path
    let compiler = Process()
    compiler.executableURL = URL(filePath: "/usr/bin/env")
    compiler.arguments = [
      "clang", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-O1", "-o", library, "-I",
      repositoryFile("Sources/CPlugin/include").path, source.path,
    ]
    try compiler.run()
    compiler.waitUntilExit()
    try #require(compiler.terminationStatus == 0)
    return library
  }

  /// A library whose detect and apply have these bodies. `head` stands before them.
  func make(
    _ name: String = "test", detect: String = "", apply: String? = "", globs: String = "\"*.t\"",
    schema: String = "\"t_piece\", \"1.0\", \"{}\"", version: String = "SLUICE_PLUGIN_VERSION",
    head: String = ""
  ) throws -> String {
    let source = directory.appending(path: name + ".c")
    try """
    #define _GNU_SOURCE
    #include <errno.h>
    #include <fcntl.h>
    #include <pthread.h>
    #include <signal.h>
    #include <stdio.h>
    #include <stdlib.h>
    #include <string.h>
    #include <sys/mman.h>
    #include <sys/socket.h>
    #include <unistd.h>
    #include "sluice_plugin.h"
    typedef const struct sluice_plugin_host *host_t;
    __attribute__((unused))
    static void emit(host_t host, const char *id, const char *content) {
      host->emit(host, &(struct sluice_plugin_entity){id, "t_piece", "1.0", content});
    }
    \(head)
    static void detect(host_t host, const struct sluice_plugin_file *before,
                       const struct sluice_plugin_file *after) {
      (void)host; (void)before; (void)after;
      \(detect)
    }
    __attribute__((unused))
    static void apply(host_t host, const struct sluice_plugin_file *file,
                      const struct sluice_plugin_entity *entities, size_t count) {
      (void)host; (void)file; (void)entities; (void)count;
      \(apply ?? "")
    }
    const struct sluice_plugin *sluice_plugin(void) {
      static const char *const globs[] = {\(globs), NULL};
      static const struct sluice_plugin_schema schemas[] = {{\(schema)}};
      static const struct sluice_plugin plugin = {\(version), "\(name)", globs, schemas, 1, detect,
                                                  \(apply == nil ? "NULL" : "apply")};
      return &plugin;
    }
    """.write(to: source, atomically: true, encoding: .utf8)
    return try compile(source, as: name)
  }

  func load(_ libraries: String..., seconds: Int = 20) throws(PluginError) -> PluginSet {
    try PluginSet(loading: libraries, secondsMaximum: seconds)
  }

  /// A desk with the plugin of a library with these bodies.
  func desk(
    detect: String = "", apply: String? = "", head: String = "", seconds: Int = 20
  ) throws -> PluginDesk {
    let set = try load(make(detect: detect, apply: apply, head: head), seconds: seconds)
    return PluginDesk(try #require(set.matching(path: "/a.t").first))
  }
}

/// The message of the error that `body` throws.
func message(_ body: () throws -> Void) -> String {
  do {
    try body()
    return "(no error)"
  } catch let error as PluginError {
    return error.message
  } catch { return "\(error)" }
}

/// The processes that have this library in their memory.
func processes(with library: String) -> [pid_t] {
  let ids = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
  return ids.compactMap { pid_t($0) }.filter { id in
    // A String of the file would be its first page only.
    let maps = FileHandle(forReadingAtPath: "/proc/\(id)/maps")
    let bytes = try? maps?.readToEnd()
    return String(decoding: bytes ?? Data(), as: UTF8.self).contains(library)
  }
}
