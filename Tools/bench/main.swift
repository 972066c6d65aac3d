// The `sluice-bench` command: measures Sluice beside SQLite's own VFS.

internal import CSluice
internal import SluiceCommand
internal import SluiceSystem

// Before anything is opened: otherwise a later print could go to a socket or a file.
fillStandardDescriptors()
exit(benchCommand.runAsProgram(Arguments.words, peers: [peerCommand]))
