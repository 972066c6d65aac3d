// sluice doctor: shows the facts of the place where this program runs, and the consequence of each
// for Sluice. People paste the text into bug reports. So it shows the paths that it was given and
// those of the installation, but no content of files, no other users, and no values of variables
// that are not ours.

internal import CSluice
internal import SluiceCommand
internal import SluiceSystem

let doctorCommand = Command(
  name: "doctor", summary: "show what of this machine matters to Sluice, and the consequences",
  help: """
    usage: sluice doctor [--root DIR] [--json]

    Shows the facts on which Sluice relies, for this user, in these namespaces and this control group,
    and the consequence of each. It makes files in DIR and in the temporary directory, to try leases
    and the sidecar's confinement, and removes them.
    Exit code 0 when a sidecar can serve DIR in full, 1 when something is missing or weaker than it
    could be, 2 when DIR cannot be examined.

      --root DIR   the directory as for serve (the current one)
      --json       an object with an array of the facts

    Run it where the sidecar will run: in its container, under its unit's limits.
    """,
  run: examine)

/// One fact.
struct Finding {
  enum Worth: String {
    case ok
    /// Sluice works, with less.
    case weaker
    /// Something does not work.
    case missing
  }

  let name: String
  let value: String
  let worth: Worth
  /// The consequence (something does not work, or works worse), and the remedy.
  let follows: String

  init(_ name: String, _ value: String, _ worth: Worth = .ok, _ follows: String = "ok") {
    self.name = name
    self.value = value
    self.worth = worth
    self.follows = follows
  }

  /// A fact that is either good or bad.
  init(
    _ name: String, _ isGood: Bool, _ good: String = "yes", or bad: String = "no",
    _ worth: Worth = .missing, _ follows: String
  ) {
    self.init(name, isGood ? good : bad, isGood ? .ok : worth, isGood ? "ok" : follows)
  }

  var row: String {
    let mark = worth == .ok ? "ok" : worth.rawValue.uppercased()
    let head = "\(mark.padded(to: 9))\(name.padded(to: 24))\(value)"
    return follows == "ok" ? head : head + "\n" + String(repeating: " ", count: 33) + "→ " + follows
  }

  var json: JSON {
    .object([
      ("fact", .text(name)), ("value", .text(value)), ("worth", .text(worth.rawValue)),
      ("follows", .text(follows)),
    ])
  }
}

private func examine(_ words: [String]) throws(CommandError) -> Int32 {
  var options = Options(words)
  let root = try options.value("--root") ?? "."
  let wantsJSON = options.flag("--json")
  try options.finish()
  do throws(Errno) {
    _ = try unsafe FileDescriptor.open(zeroTerminated(root), [.directory, .pathOnly])
  } catch {
    throw .failed("doctor: \(root): \(unsafe String(cString: error.text))")
  }
  let sections: [(title: String, findings: [Finding])] = [
    ("kernel", kernelFindings()),
    ("files beneath \(root)", fileFindings(root: root)),
    ("this process", placeFindings()),
    ("limits", limitFindings()),
    ("installation", installationFindings()),
    ("environment", environmentFindings()),
  ]
  let findings = sections.flatMap(\.findings)
  if wantsJSON {
    let facts = JSON.array(findings.map(\.json))
    print(
      JSON.object([("sluice", .text(sluiceVersion)), ("root", .text(root)), ("facts", facts)])
        .written(depth: 2))
  } else {
    print("sluice \(sluiceVersion), protocol \(protocolVersionNumber)")
    for (title, findings) in sections {
      print("\n\(title)")
      for finding in findings { print(finding.row) }
    }
    print("\n" + verdict(findings))
  }
  return findings.allSatisfy { $0.worth == .ok } ? 0 : 1
}

private func verdict(_ findings: [Finding]) -> String {
  let missing = findings.filter { $0.worth == .missing }.map(\.name)
  let weaker = findings.filter { $0.worth == .weaker }.map(\.name)
  if missing.isEmpty, weaker.isEmpty { return "A sidecar can serve here in full." }
  return [
    missing.isEmpty ? nil : "Missing: " + missing.joined(separator: ", ") + ".",
    weaker.isEmpty ? nil : "Weaker than it could be: " + weaker.joined(separator: ", ") + ".",
  ].compactMap { $0 }.joined(separator: "\n")
}
