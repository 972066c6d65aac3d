// automerge-bench: measures SluiceAutomerge with one file, each task in a process of its own, so that its
// memory is the task's.
//
//   automerge-bench load FILE [COUNT]    load the file; a COUNT takes its first changes only
//   automerge-bench save FILE            save what was loaded
//   automerge-bench apply FILE [COUNT]   apply its changes one by one
//   automerge-bench json FILE [KEY …]    JSON of a path, once loaded
//   automerge-bench refuse FILE          load a file that must be refused
//   automerge-bench view FILE            the state when half of the changes were there, and the patches
//                                        from there to now
//   automerge-bench scenarios [--count N] [--seed S] [--threads T] [--past-every E] [--canary]
//                                        N random histories, from the seed S on, each applied in two
//                                        orders; every E-th with its past and patches. The canary breaks
//                                        ties the wrong way, and must be found in most of them
//
// Prints the task's milliseconds, the least of several runs where a run changes nothing, and the greatest
// memory that the process had.

import Foundation
import SluiceAutomerge

func fail(_ text: String) -> Never {
  FileHandle.standardError.write(Data("automerge-bench: \(text)\n".utf8))
  exit(64)
}

func milliseconds(_ work: () throws -> Void) rethrows -> Double {
  let clock = ContinuousClock()
  let duration = try clock.measure { try work() }
  return Double(duration.components.seconds) * 1e3
    + Double(duration.components.attoseconds) / 1e15
}

func memoryMiB() -> Double {
  var usage = rusage()
  unsafe getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
  return Double(usage.ru_maxrss) / 1024
}

func report(_ name: String, _ time: Double, _ more: String = "") {
  let text = String(format: "%@ %.2f ms, %.1f MiB%@", name, time, memoryMiB(), more)
  print(text)
}

let words = Array(CommandLine.arguments.dropFirst())
if words.first == "scenarios" {
  guard let run = ScenarioRun(Array(words.dropFirst())) else { fail("scenarios: wrong options") }
  exit(run.run() ? 0 : 1)
}
guard words.count >= 2, let data = FileManager.default.contents(atPath: words[1]) else {
  fail("usage: automerge-bench load | save | apply | json | refuse | view FILE, or scenarios")
}
let bytes = [UInt8](data)
let count = words.count > 2 ? Int(words[2]) : nil

/// The document of the file's first changes, saved.
func shortened() throws -> [UInt8] {
  guard let count else { return bytes }
  let whole = try Document(loading: bytes)
  var part = Document()
  try part.apply(whole.history.prefix(count))
  return part.save()
}

switch words[0] {
case "load":
  let input = try shortened()
  var document = Document()
  let time = try milliseconds { document = try Document(loading: input) }
  report("load", time, ", \(document.history.count) changes")
case "save":
  let document = try Document(loading: bytes)
  var saved: [UInt8] = []
  let times = (0..<5).map { _ in milliseconds { saved = document.save() } }
  report("save", times.min()!, ", \(saved.count) bytes")
case "apply":
  let whole = try Document(loading: bytes)
  let changes = Array(whole.history.prefix(count ?? .max))
  var document = Document()
  let time = try milliseconds { for change in changes { try document.apply(change) } }
  let each = String(
    format: ", %d changes, %.2f µs each", changes.count, time * 1000 / Double(changes.count))
  report("apply", time, each)
  // From the bytes, as they come from another replica.
  let chunks = changes.map(\.bytes)
  var other = Document()
  let decoding = try milliseconds { for chunk in chunks { try other.apply(Change(chunk)) } }
  let both = String(format: ", %.2f µs each", decoding * 1000 / Double(changes.count))
  report("decode and apply", decoding, both)
  guard other.heads == document.heads else { fail("other heads") }
case "json":
  let document = try Document(loading: bytes)
  let path = words.dropFirst(2).map { word -> View.Step in
    Int(word).map { .index($0) } ?? .key(word)
  }
  var json = ""
  let times = (0..<5).map { _ in
    milliseconds { json = document.view.json(at: path) ?? "nothing" }
  }
  report("json", times.min()!, ", \(json.utf8.count) bytes")
case "refuse":
  var reason = "accepted"
  let time = milliseconds {
    do { _ = try Document(loading: bytes) } catch { reason = "\(error)" }
  }
  report("refuse", time, ", \(reason)")
case "view":
  let document = try Document(loading: bytes)
  var part = Document()
  try part.apply(document.history.prefix(document.history.count / 2))
  var json = ""
  let time = try milliseconds {
    json = try document.view(at: part.heads).json() ?? ""
  }
  report("view", time, ", \(json.utf8.count) bytes")
  guard json == part.view.json() else { fail("another past") }
  var patches: [Patch] = []
  let patching = try milliseconds {
    patches = try document.difference(from: part.heads, to: document.heads)
  }
  report("patches", patching, ", \(patches.count) patches")
default: fail("\(words[0]): not understood")
}
