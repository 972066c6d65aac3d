// The `sluice-harness` command: tries a sidecar.

internal import CSluice
internal import SluiceCommand
internal import SluiceSystem

// Before anything is opened: otherwise a later print could go to a socket or a file.
fillStandardDescriptors()
exit(harnessCommand.runAsProgram(Arguments.words, peers: [peerCommand]))
