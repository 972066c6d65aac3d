// The `sluice` command: the sidecar itself and what people run beside it.

internal import CSluice
internal import SluiceCommand
internal import SluiceSystem

// Before anything is opened: what is printed must not go to a socket.
fillStandardDescriptors()
exit(
  Program(
    name: "sluice", title: "SQLite's files on the other side of shared memory",
    commands: [
      serveCommand, engineCommand, sqlCommand, recordsCommand, documentsCommand, runCommand,
      statsCommand, doctorCommand, confinementCommand, watchCommand, automergeCommand,
    ]
  ).run(Arguments.words))
