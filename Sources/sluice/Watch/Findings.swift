// What a watcher has found: each program once, with the first process and database that was seen.

internal import CSluice
internal import SluiceCommand

struct Circumventer {
  var why: Circumvention
  var process: Int32
  var program: String
  /// Nil if nobody has seen which database it opened.
  var database: String?
  /// The file that has the SQLite, if it is not the program.
  var library: String?
  /// The program by which it was started in such a way that it was not reached.
  var starter: String?
}

struct Findings {
  /// So many programs are told. The others are counted.
  private static let toldMaximum = 32
  private var order: [String] = []
  private var found: [String: Circumventer] = [:]
  private var untold: Set<String> = []

  var isEmpty: Bool { found.isEmpty }

  func has(_ program: String) -> Bool { found[program] != nil }

  mutating func add(_ finding: Circumventer) {
    if let earlier = found[finding.program] {
      if earlier.database == nil { found[finding.program]!.database = finding.database }
      return
    }
    guard order.count < Findings.toldMaximum else {
      if untold.count < 10_000 { untold.insert(finding.program) }
      return
    }
    order.append(finding.program)
    found[finding.program] = finding
  }

  /// The report. `library` is the path of libsluice.so.
  func lines(library: String) -> [String] {
    var lines = order.map { "sluice: run: " + found[$0]!.text(library: library) }
    if !untold.isEmpty {
      lines.append("sluice: run: \(untold.count) other programs used SQLite without Sluice")
    }
    return lines.map(printable)
  }
}

extension Circumventer {
  fileprivate func text(library: String) -> String {
    var text = "\(program) (process \(process)"
    if let starter { text += ", started by \(starter)" }
    if let database {
      text += ") opened \(database) without Sluice: "
    } else if why == .ownSQLite || why == .otherVFS {
      text += ") opened a database without Sluice: "
    } else {
      text += ") has SQLite, without Sluice: "
    }
    return text + reason(library) + "; " + remedy
  }

  private func reason(_ sluice: String) -> String {
    switch why {
    case .isStatic: "it is linked statically, so nothing can be preloaded into it"
    case .gainsRights:
      "it gains rights when it is started (setuid, setgid, capabilities), so nothing is preloaded"
    case .otherMachine: "it is a 32-bit program or one for another processor"
    case .otherCLibrary: "its C library is not glibc"
    case .libraryUnreadable: "it cannot read \(sluice) (another root directory, or fewer rights)"
    case .ownSQLite: "it has an SQLite of its own" + (library.map { ", in \($0)" } ?? "")
    case .otherVFS: "it chose another VFS of libsqlite3"
    case .notPreloaded: "libsluice.so was not preloaded into it"
    }
  }

  private var remedy: String {
    switch why {
    case .isStatic: "use a build that links libsqlite3 dynamically"
    case .gainsRights: "start 'sluice run' with these rights, as in 'sudo sluice run -- …'"
    case .otherMachine: "use a build for the processor of 'sluice'"
    case .otherCLibrary: "use a build for glibc"
    case .libraryUnreadable: "let it read that file, under the same name"
    case .ownSQLite:
      "use a build that links libsqlite3 dynamically, or load libsluice.so as an extension in it"
    case .otherVFS: "name no VFS when you open the database, and do not set SLUICE_DEFAULT=0"
    case .notPreloaded: "start it with the LD_PRELOAD and the SLUICE_ variables of 'sluice run'"
    }
  }
}

/// Without the characters that would move a terminal's cursor or begin another line.
private func printable(_ line: String) -> String {
  var result = String.UnicodeScalarView()
  for scalar in line.unicodeScalars {
    result.append(scalar.value < 0x20 || (0x7f..<0xa0).contains(scalar.value) ? "?" : scalar)
  }
  return String(result)
}
