// sluice-harness peer: the processes that the harness starts in order to kill them.
//
// Each process ends when its standard input does: when the harness ends, however that ends.

internal import SluiceCommand
internal import ToolSupport

let peerCommand = Command(
  name: "peer", summary: "", help: "started by 'sluice-harness', not by people",
  run: { words throws(CommandError) in
    var options = Options(words)
    switch options.word() {
    case "worker":
      endWithInput()
      try KillWorker.run(&options)
    case "doomed": try DoomedClient.run(&options)
    case "sql":
      endWithInput()
      try SQLWorker.run(&options)
    case "records":
      endWithInput()
      try RecordsWorker.run(&options)
    default: throw .usage("'sluice-harness' starts this")
    }
    return 0
  })
