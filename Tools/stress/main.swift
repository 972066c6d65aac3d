// stress: several processes, each with several connections, insert, update and delete in one
// database through a shared sidecar, while others do the same natively on the same file. They
// record every acknowledged change. At the end all of these must be there, and nothing else, and
// SQLite's integrity_check must find nothing. Each transaction also moves money between accounts:
// readers, if there are any, must see the same sum at any time. In WAL mode every connection runs a
// checkpoint now and then.
//
//   stress --extension LIB --root DIR --socket PATH [--seconds 30] [--processes 3]
//          [--connections 4] [--native 1] [--readers 0] [--journal DELETE] [--seed N]
//
// It starts itself again for each worker. Exit code 0 if everything was right.

import Foundation

let arguments = Arguments(CommandLine.arguments.dropFirst())
if arguments.has("worker") {
  exit(Worker(arguments).run())
} else {
  exit(Coordinator(arguments).run())
}
