// The command: its modes. They try a sidecar by the protocol alone, and under SQLite while clients
// and sidecars die.

internal import CSluice
internal import SluiceCommand
internal import SluiceSystem

let harnessCommand = Command(
  name: "sluice-harness",
  summary: "try a sidecar: with the protocol alone, bad manners, sudden death",
  help: """
    usage: sluice-harness MODE [OPTION …]

    Speaks the protocol of Protocol/SPEC.md to a sidecar, and checks every answer. The modes model and
    hostile can try any implementation of that text: name its socket by --socket. Otherwise the
    harness starts a sidecar of its own over a temporary directory: `sluice` beside this program, or
    the program that SLUICE_SIDECAR names.

      model     some sessions do random operations, and a model in memory gives the right answer to
                each. One thread does all of them, in an order that the seed decides. A run that fails
                is shrunk to a short script
      hostile   one session writes nonsense into every field of the shared memory while the sidecar
                reads it, hoards, and shakes hands badly, again and again. All the time honest
                sessions beside it do what model does; the run measures how much they notice
      kill      kills clients and sidecars with SIGKILL: first each operation in each phase, where a
                table says what must be left; then at random moments while SQLite works, where no
                acknowledged transaction may be lost. The sidecars are always the harness's own
      soak      clients with SQLite and raw sessions come and go on a sidecar of the harness's own.
                Its memory, descriptors and threads must not grow

      sql PART  the same for 'sluice engine', which is always the harness's own. PART is: model (random
                statements, compared with SQLite in this process), hostile (nonsense in SQL requests
                beside a session that works), kill (clients and engines die in transactions), state-kill
                (the same with the state: versions, merges, files), cancel (how long a cancelled
                statement goes on)
      records PART  the same for the engine's record stores. PART is: model (random calls, compared with a
                plain model), hostile, kill (clients and engines die in stores, imports and erasures;
                the tables that a killed engine leaves are read, too)

      --socket PATH      the sidecar that listens there. In its root the run makes and removes files
                         whose names begin with model-; no other program may use them. With hostile,
                         choose a root that you can throw away
      --directory DIR    where the harness's own sidecar has its files (/dev/shm, else TMPDIR)
      --seed N           repeats the run that had this seed
      --sessions N       how many sessions (model: 8; hostile: 4 honest ones; kill: 3 clients of each
                         sidecar; soak: 3 raw ones; sql, records: 6, kill 4)
      --operations N     model: how many operations (1000000; sql model, records model: 20000)
      --script FILE      model: where the script of a failure goes (sluice-SEED.script)
      --replay FILE      model: run the steps of a script instead
      --canary KIND      do or believe something wrong on purpose, which the run must find.
                         model: truncate, pending or close; kill: acknowledge or table; soak: hoard;
                         sql: model, kill or state-kill; records: model or kill
      --runs N           sql, records: how many kills (200); sql: cancels (1000)
      --kills N          kill: how many kills under SQLite (400)
      --rounds N         kill: how often to go through the table (1)
      --stock N          kill: one in N lives of a sidecar's last client is that of stock SQLite (8)
      --lanes N          kill: how many sidecars work under SQLite at a time (2)
      --keep             kill: keep the files of a run that found something
      --seconds S        hostile: the least time, half of it without the hostile session (10);
                         soak: the time (60)
      --words N          hostile: the least number of words that the hostile session writes (0)
      --handshakes N     hostile: the least number of malformed handshakes (0)
      --ratio-max X      hostile: fail if the honest sessions' 99th percentile beside the hostile
                         session is more than X times that without it
      --json             print JSON

    Exit codes: 0 nothing found; 1 the sidecar did something wrong; 2 it could not be tried; 130 the
    user interrupted the run.
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
  case "sql": command = try SQLMode(&options, parameters)
  case "records": command = try RecordsMode(&options, parameters)
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
