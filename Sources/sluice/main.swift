// The `sluice` command: the sidecar itself and what people run beside it.

internal import CSluice
internal import SluiceSystem

// Before anything is opened: what is printed must not go to a socket.
fillStandardDescriptors()
exit(Command.run(Arguments.words))
