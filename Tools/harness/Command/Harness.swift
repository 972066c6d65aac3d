// The command: its modes. They try a sidecar by the protocol alone, and under SQLite while clients and
// sidecars die.

internal import CSluice
internal import SluiceCommand
internal import SluiceSystem

let harnessCommand = Command(
  name: "sluice-harness",
  summary: "try a sidecar: with the protocol alone, bad manners, sudden death",
  help: """
    usage: sluice-harness MODE [OPTION …]

    Speaks the protocol of Protocol/SPEC.md to a sidecar, and checks every answer. Whatever
    implements that text can be tried with model and hostile; without --socket it is this program's
    own sidecar, over a temporary directory.

      model     some sessions do random operations, and a model in memory says what each answer must
                be. One thread does them in an order that the seed decides. A run that fails is
                shrunk to a short script
      hostile   one session writes nonsense into every field of the shared memory while the sidecar
                reads it, hoards, and shakes hands badly, again and again; honest sessions do what
                model does beside it, all the time, and it is measured what they notice
      kill      clients and sidecars are killed with SIGKILL: first each operation in each phase,
                where a table says what must be left; then at moments of chance under SQLite's work,
                where nothing that was acknowledged may be lost. The sidecars are its own
      soak      clients with SQLite and raw sessions come and go, while the memory, descriptors and
                threads of a sidecar of its own are watched, which must not grow

      --socket PATH      the sidecar that listens there. In its root, files whose names begin with
                         model- are made and removed; nobody else may use them. With hostile the
                         root should be one that can be thrown away
      --directory DIR    where a sidecar of the harness's own has its files (/dev/shm, else TMPDIR)
      --seed N           repeats the run that had this seed
      --sessions N       how many (model: 8; hostile: 4 honest ones; kill: 3 clients of each
                         sidecar; soak: 3 raw ones)
      --operations N     model: how many (1000000)
      --script FILE      model: where the script of a failure goes (sluice-SEED.script)
      --replay FILE      model: do the steps of a script instead
      --canary KIND      do or believe something wrong, which must be found. model: truncate, pending
                         or close; kill: acknowledge or table; soak: hoard
      --kills N          kill: how many under SQLite (400)
      --rounds N         kill: how often to go through the table (1)
      --lanes N          kill: how many sidecars at a time work under SQLite (2)
      --keep             kill: leave the files of a run that found something
      --seconds S        hostile: how long at the least, half of it without the hostile one (10);
                         soak: how long (60)
      --words N          hostile: how many words it writes at the least (0)
      --ratio-max X      hostile: fail where honest sessions' 99th percentile beside the hostile
                         one is more than X times that without
      --json             for machines

    The exit code is 1 when the sidecar did not what it should, 2 when it could not be tried, 130
    when it was interrupted.
    """, run: harness)

private func harness(_ words: [String]) throws(CommandError) -> Int32 {
  var options = Options(words)
  guard let mode = options.word() else { throw .usage("which mode?") }
  let parameters = try HarnessParameters(&options)
  let command: any HarnessMode
  switch mode {
  case "model": command = try ModelMode(&options, parameters)
  case "hostile": command = try HostileMode(&options, parameters)
  case "soak": command = try SoakMode(&options, parameters)
  case "kill": command = try KillMode(&options, parameters)
  default: throw .usage("\(mode): no such mode")
  }
  try options.finish()
  do throws(HarnessError) {
    return try command.run()
  } catch {
    switch error {
    case .difference(let text):
      printError("sluice-harness: \(text)")
      return 1
    case .failed(let text): throw .failed(text)
    case .interrupted:
      printError("sluice-harness: interrupted")
      return 130
    }
  }
}
