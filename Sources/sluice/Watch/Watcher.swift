// Finds the programs of a `sluice run` that open databases without Sluice.
//
// It learns of them in three ways:
// - A process in which libsluice.so is loaded tells that it has locked a database itself, or that it
//   executes a program that cannot be reached. This is exact, and hardly anything is missed.
// - A program that cannot be reached is looked at: whether its file contains SQLite or names
//   libsqlite3 and, while it lives, whether it has libsqlite3 or a database open. The programs that
//   it starts are looked at too. In its first second this is done every 15 ms.
// - All processes of the run are looked at every 500 ms, or less often if this takes long: for a lock
//   on a database, and for programs without libsluice.so that nobody told of.
//
// A process belongs to the run if it descends from the command, or has the run's mark in the
// environment that it was started with.

internal import CSluice
internal import SluiceCommand
internal import SluiceSystem

/// One thread's own.
final class Watcher {
  private let socket: FileDescriptor
  private let token: String
  /// The mark in the environment of the run's processes.
  private let mark: String
  private let library: String
  /// As it stands in the list of a process's mappings.
  private let libraryName: String
  private let command: ProcessKey?
  private let ownProgram: String?

  private(set) var findings = Findings()
  private var waiting: [Told] = []
  private var suspects: [ProcessKey: Suspect] = [:]
  private var members: Set<ProcessKey> = []
  private var strangers: Set<ProcessKey> = []
  /// The programs, by process, in which libsluice.so was seen.
  private var reached: [ProcessKey: String] = [:]
  /// Whether the files of unreachable programs contain SQLite or name it.
  private var judged: [String: Bool] = [:]

  private struct Suspect {
    var why: Circumvention
    var program: String?
    var starter: String?
    let since: Int64
    /// A process that has just executed a program has not loaded its libraries yet.
    var timesSeen = 0
  }

  private static let suspectMaximum = 128
  private static let waitingMaximum = 256

  /// Watches `command` and all that descend from it. `socket` has the messages of the run.
  init(
    socket: consuming FileDescriptor, watch: WatchName, library: String, command: Int32
  ) {
    self.socket = socket
    token = watch.token
    mark = "SLUICE_WATCH=" + watch.value
    self.library = library
    libraryName = "/" + (library.split(separator: "/").last.map(String.init) ?? library)
    self.command = ProcessEntry(command)?.key
    ownProgram = try? Installation.program()
  }

  /// Returns when `end` is readable, after the conclusion.
  func watch(until end: borrowing FileDescriptor) throws(Errno) {
    let poller = try Poller()
    try poller.add(socket, token: 0)
    try poller.add(end, token: 1)
    var nextWalk = Clock.monotonicNanoseconds() + 50 * milliseconds
    while true {
      let now = Clock.monotonicNanoseconds()
      let isYoung = suspects.values.contains { now - $0.since < 1000 * milliseconds }
      let rest = max(0, nextWalk - now) / milliseconds
      let event: UInt64?
      do throws(Errno) {
        event = try poller.wait(timeoutMilliseconds: Int32(isYoung ? min(15, rest) : rest))
      } catch .interrupted {
        continue
      }
      takeMessages()
      judgeMessages()
      if event == 1 || end.awaitReadable(timeoutMilliseconds: 0) { break }
      if isYoung { lookAtSuspects() }
      if Clock.monotonicNanoseconds() >= nextWalk {
        let start = Clock.monotonicNanoseconds()
        lookAtAll()
        let taken = Clock.monotonicNanoseconds() - start
        nextWalk = start + max(500 * milliseconds, 50 * taken)
      }
    }
    conclude()
  }

  /// Judges what was told until now, and looks at what the command has left behind.
  func conclude() {
    takeMessages()
    judgeMessages()
    lookAtAll()
    for _ in 0..<2 where !suspects.isEmpty {
      Clock.sleep(nanoseconds: 15 * milliseconds)
      lookAtSuspects()
    }
  }

  func report() {
    for line in findings.lines(library: library) { printError(line) }
  }

  // MARK: What is told

  private func takeMessages() {
    var bytes = [UInt8](repeating: 0, count: Int(SLUICE_TOLD_BYTE_COUNT_MAX) + 1)
    while waiting.count < Watcher.waitingMaximum {
      var sender: Int32 = 0
      var file: SharedDescriptor?
      let count = unsafe bytes.withUnsafeMutableBytes { room -> Int in
        guard var message = try? unsafe socket.receive(into: room) else { return -1 }
        sender = message.senderProcess
        if let first = message.first.take() { file = SharedDescriptor(first) }
        return message.byteCount
      }
      guard count >= 0 else { return }
      if let told = Told(Array(bytes.prefix(count)), token: token, sender: sender, file: file) {
        waiting.append(told)
      }
    }
  }

  private func judgeMessages() {
    while !waiting.isEmpty {
      let told = waiting.removeFirst()
      if told.why.isObstacle {
        judge(told)
      } else {
        findings.add(
          Circumventer(
            why: told.why, process: told.process, program: told.program, database: told.database,
            library: told.library))
      }
      // The socket holds few messages, and a large file takes long.
      takeMessages()
    }
  }

  private func judge(_ told: Told) {
    let key = ProcessEntry(told.process)?.key
    if judged.count > 10_000 { judged = [:] }
    let file = told.file.map { "/proc/self/fd/\($0.descriptor.rawValue)" }
    let holds =
      judged[told.program]
      ?? file.flatMap { sluiceContents($0)?.hasSQLite }
      ?? holdsSQLite(told.program, in: told.process)
    judged[told.program] = holds
    if holds {
      findings.add(Circumventer(why: told.why, process: told.process, program: told.program))
    }
    if let key {
      suspect(key, Suspect(why: told.why, program: told.program, since: now))
    }
  }

  private var now: Int64 { Clock.monotonicNanoseconds() }

  private func suspect(_ key: ProcessKey, _ suspect: Suspect) {
    guard suspects[key] == nil, suspects.count < Watcher.suspectMaximum else { return }
    suspects[key] = suspect
  }

  /// The process may have another root directory.
  private func holdsSQLite(_ program: String, in process: Int32) -> Bool {
    let contents = sluiceContents("/proc/\(process)/root" + program) ?? sluiceContents(program)
    return contents?.hasSQLite ?? false
  }

  // MARK: What is seen

  private func lookAtSuspects() {
    let lockers = lockersOfDatabases()
    for key in Array(suspects.keys) {
      guard key.isAlive else {
        suspects[key] = nil
        continue
      }
      look(at: key, locks: lockers.contains(key.id))
      guard let suspect = suspects[key], suspect.why == .gainsRights else { continue }
      for child in key.children {
        self.suspect(
          child,
          Suspect(
            why: .gainsRights, starter: suspect.starter ?? suspect.program ?? key.program,
            since: now))
      }
    }
  }

  /// A process in which libsluice.so is not, as far as is known.
  private func look(at key: ProcessKey, locks: Bool) {
    guard var suspect = suspects[key] else { return }
    let program = key.program
    if let program, program == ownProgram {
      suspects[key] = nil
      return
    }
    suspect.timesSeen += 1
    suspects[key] = suspect
    // Nil if it has ended.
    guard let name = program ?? key.namedProgram ?? suspect.program else { return }
    var finding = Circumventer(
      why: suspect.why, process: key.id, program: name, starter: suspect.starter)
    // It was told of the program that has become this one.
    if finding.starter == nil, finding.program != suspect.program {
      finding.starter = suspect.program
    }
    guard let mappings = sluiceContents("/proc/\(key.id)/maps", libraryName) else {
      // A process with more rights than this one shows only its command line, and its locks.
      let holds = suspect.timesSeen == 2 && holdsSQLite(finding.program, in: key.id)
      if locks || holds { findings.add(finding) }
      return
    }
    if mappings.contains(.library) {
      if let program { reached[key] = program }
      // A suspect that was told is another program in a moment.
      if suspect.program == nil || suspect.timesSeen > 10 { suspects[key] = nil }
      return
    }
    finding.database = key.openDatabase
    let holds =
      mappings.contains(.nameOfLibsqlite3)
      || suspect.timesSeen == 2 && sluiceContents("/proc/\(key.id)/exe")?.contains(.sqlite) == true
    if locks || holds || finding.database != nil { findings.add(finding) }
  }

  private func lookAtAll() {
    let entries = ProcessEntry.all()
    findMembers(entries)
    let lockers = lockersOfDatabases()
    for entry in entries where members.contains(entry.key) {
      let key = entry.key
      if suspects[key] != nil {
        look(at: key, locks: lockers.contains(key.id))
        continue
      }
      let program = key.program
      if lockers.contains(key.id), program != ownProgram { addLocker(key, program) }
      if let program, reached[key] == program || program == ownProgram { continue }
      suspect(key, Suspect(why: .notPreloaded, since: now))
    }
    reached = reached.filter { members.contains($0.key) }
    suspects = suspects.filter { members.contains($0.key) || $0.key.isAlive }
  }

  private func addLocker(_ key: ProcessKey, _ program: String?) {
    guard let program = program ?? key.namedProgram else { return }
    let mappings = sluiceContents("/proc/\(key.id)/maps", libraryName) ?? []
    let why: Circumvention =
      !mappings.contains(.library)
      ? .notPreloaded : mappings.contains(.nameOfLibsqlite3) ? .otherVFS : .ownSQLite
    findings.add(
      Circumventer(
        why: why, process: key.id, program: program, database: key.openDatabase))
  }

  /// The processes of the run among these, and no others. A process stays a member when its parent
  /// ends.
  private func findMembers(_ entries: [ProcessEntry]) {
    var children: [Int32: [ProcessKey]] = [:]
    for entry in entries { children[entry.parent, default: []].append(entry.key) }
    let living = Set(entries.map(\.key))
    strangers.formIntersection(living)
    members.formIntersection(living)
    if let command, living.contains(command) { members.insert(command) }
    for key in living where !members.contains(key) && !strangers.contains(key) {
      if key.environmentHas(mark) { members.insert(key) } else { strangers.insert(key) }
    }
    var rest = Array(members)
    while let parent = rest.popLast() {
      for child in children[parent.id] ?? [] where members.insert(child).inserted {
        rest.append(child)
      }
    }
  }
}

private let milliseconds: Int64 = 1_000_000
