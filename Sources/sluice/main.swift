// The `sluice` command: the sidecar itself and what people run beside it.

internal import CSluice

exit(Command.run(Arguments.words))
