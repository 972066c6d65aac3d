// Starts a program in a process group of its own, with no signal blocked. The caller must wait for
// its end.

internal import CSluice
// For `environ`: nothing changes it while a process starts.
@unsafe @preconcurrency internal import Glibc
package import SluiceSystem

/// Starts the program of the path `words[0]` with this process's environment. It gets copies of the
/// descriptors `from` as its descriptors `to`; a negative `from` is left out. Returns its process.
package func spawn(
  _ words: [String], descriptors: [(from: Int32, to: Int32)]
) throws(Errno) -> Int32 {
  var actions = unsafe posix_spawn_file_actions_t()
  unsafe posix_spawn_file_actions_init(&actions)
  defer { unsafe posix_spawn_file_actions_destroy(&actions) }
  for (from, to) in descriptors where from >= 0 {
    unsafe posix_spawn_file_actions_adddup2(&actions, from, to)
  }
  var attributes = posix_spawnattr_t()
  unsafe posix_spawnattr_init(&attributes)
  defer { unsafe posix_spawnattr_destroy(&attributes) }
  var signals = sigset_t()
  unsafe sigemptyset(&signals)
  unsafe posix_spawnattr_setsigmask(&attributes, &signals)
  unsafe posix_spawnattr_setpgroup(&attributes, 0)
  unsafe posix_spawnattr_setflags(
    &attributes, Int16(POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK))
  var arguments = unsafe words.map { unsafe strdup($0) } + [nil]
  defer { for index in unsafe arguments.indices { unsafe free(arguments[index]) } }
  var started: pid_t = 0
  let error = unsafe posix_spawn(&started, words[0], &actions, &attributes, &arguments, environ)
  guard error == 0 else { throw Errno(error) }
  return started
}
