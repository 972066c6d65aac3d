// Starts a program for a test, with its output in files.

import Foundation
import Glibc

public struct SpawnFailure: Error {
  public var program: String
  public var errno: Int32
}

/// Starts `words`. Standard output goes to the file `output`, standard error to the one beside it that
/// ends in "-errors".
public func spawnProgram(_ words: [String], output: String) throws -> pid_t {
  var actions = unsafe posix_spawn_file_actions_t()
  unsafe posix_spawn_file_actions_init(&actions)
  defer { unsafe posix_spawn_file_actions_destroy(&actions) }
  // Nothing that it leaves behind may hold the test's own output open.
  let create = O_WRONLY | O_CREAT | O_TRUNC
  unsafe posix_spawn_file_actions_addopen(&actions, 1, output, create, 0o600)
  unsafe posix_spawn_file_actions_addopen(&actions, 2, output + "-errors", create, 0o600)
  var arguments = unsafe words.map { unsafe strdup($0) } + [nil]
  defer { for index in unsafe arguments.indices { unsafe free(arguments[index]) } }
  // A crash is a crash; Swift's own look at it would outlive the test.
  let settings = ProcessInfo.processInfo.environment.merging(["SWIFT_BACKTRACE": "enable=no"]) {
    $1
  }
  var environment = unsafe settings.map { unsafe strdup("\($0)=\($1)") } + [nil]
  defer { for index in unsafe environment.indices { unsafe free(environment[index]) } }
  var started: pid_t = 0
  let error = unsafe posix_spawn(&started, words[0], &actions, nil, &arguments, &environment)
  guard error == 0 else { throw SpawnFailure(program: words[0], errno: error) }
  return started
}
