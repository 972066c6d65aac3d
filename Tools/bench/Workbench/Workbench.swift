// The place where benchmarks run: a directory for their files, the variants with everything that
// they need, the measured processes, and the order of the rounds.
//
// This process itself measures nothing, so that it can always be interrupted. `close` leaves no
// file, mount or process behind.

internal import CSluice
internal import SluiceCommand
internal import SluiceSystem
internal import ToolSupport

/// Confined to one thread.
final class Workbench {
  let rounds: Int
  let wait: InterruptibleWait
  let machine: Machine
  let sqlite: SQLiteLibrary
  /// This program. The measured processes are further runs of it.
  private let program: String
  /// `sluice`: it serves files, and runs unmodified programs.
  let sidecarProgram: String
  /// The variants that every benchmark compares.
  let variants: [Variant]
  private let library: String
  /// libsluice-sql.so.
  var sqlLibrary: String { Installation.directory(of: library, levels: 1) + "/libsluice-sql.so" }
  /// Where Python finds our module, in the repository of this program.
  var pythonModules: String { Installation.directory(of: program, levels: 3) + "/Tools/python" }
  private let progress = Progress()
  private let directory: TemporaryDirectory
  private let files: String
  private let fuse: FUSEMount?
  private var fileCount = 0

  init(_ parameters: BenchmarkParameters) throws(ToolError) {
    rounds = parameters.rounds
    do throws(InstallationError) {
      program = try Installation.program()
      sidecarProgram = try Installation.sidecar(beside: program)
      library = try Installation.library(beside: program)
    } catch {
      throw .failed(error.text)
    }
    sqlite = try SQLiteLibrary()
    let fuseProgram = parameters.usesFUSE ? try FUSEMount.program(beside: program) : nil
    do throws(Errno) {
      wait = try InterruptibleWait()
    } catch {
      throw .system("signals", error)
    }
    // Two pipes for each process.
    raiseDescriptorLimit()
    // The measured processes find this sidecar, and no other setting of ours.
    for name in [
      "SLUICE_SOCKET", "SLUICE_SQL_SOCKET", "SLUICE_DEFAULT", "SLUICE_LIBRARY", "LD_PRELOAD",
    ] {
      unsafe unsetenv(name)
    }
    setEnvironmentValue(zeroTerminated("SLUICE_SIDECAR"), zeroTerminated(sidecarProgram))
    directory = try TemporaryDirectory(in: parameters.directory, owner: "sluice-bench")
    do throws(ToolError) {
      files = try directory.makeSubdirectory("files")
      if let fuseProgram {
        let mountPoint = try directory.makeSubdirectory("mount")
        fuse = try FUSEMount(fuseProgram, source: files, mountPoint: mountPoint, wait)
      } else {
        fuse = nil
      }
    } catch {
      directory.remove()
      throw error
    }
    variants = [.stock, .sluice] + (fuse == nil ? [] : [.fuse])
    machine = Machine(directory: files, sqlite: sqlite.version)
  }

  func close() {
    progress.clear()
    fuse?.unmount()
    directory.remove()
  }

  /// Notes that hold for every report.
  var notes: [String] { fuse == nil ? [] : [FUSEMount.note] }

  // MARK: Rounds

  /// Calls `body` for each subject and variant in every round, with the variants in another order
  /// each time. If an optional variant cannot be opened, goes on without it and says so in the
  /// result.
  func interleave<Subject>(
    _ benchmark: String, _ subjects: [(name: String, subject: Subject)], _ variants: [Variant],
    _ body: (Subject, Variant) throws(ToolError) -> Void
  ) throws(ToolError) -> [String] {
    var variants = variants
    var notes: [String] = []
    for round in 0..<rounds {
      for (name, subject) in subjects {
        let shift = round % variants.count
        for variant in Array(variants[shift...] + variants[..<shift]) {
          guard variants.contains(variant) else { continue }
          let what = name.isEmpty ? "" : name + ", "
          progress.show("\(benchmark): round \(round + 1) of \(rounds): \(what)\(variant.name)")
          do throws(ToolError) {
            try body(subject, variant)
          } catch {
            guard variant.isOptional, case .unopenable(let text) = error else { throw error }
            variants.removeAll { $0 == variant }
            notes.append("\(variant.name) is left out: cannot open \(text)")
          }
        }
      }
    }
    return notes
  }

  // MARK: Databases

  /// A name in the benchmark's directory that was never used: what a file system in another process
  /// remembers about names must not matter.
  func freshName() -> String {
    fileCount += 1
    return "\(fileCount).db"
  }

  /// The host's own path of the file.
  func path(_ name: String) -> String { files + "/" + name }

  /// Makes a database natively and returns its name.
  func makeDatabase(
    journal: String, _ statements: [String]
  ) throws(ToolError) -> String {
    let name = freshName()
    let connection = try SQLiteConnection(sqlite, Target(path: path(name)))
    for sql in ["PRAGMA journal_mode = \(journal)", "BEGIN"] + statements + ["COMMIT"] {
      try connection.execute(sql)
    }
    return name
  }

  /// Makes a file of that size whose content is in the kernel's cache and on the disk. It writes
  /// page by page, as SQLite does: large writes make large folios, in which later small writes cost
  /// ten times as much.
  func fill(_ name: String, mebibytes: Int) throws(ToolError) {
    let page = [UInt8](repeating: 0x5a, count: 4096)
    do throws(Errno) {
      let file = try unsafe FileDescriptor.open(
        zeroTerminated(path(name)), [.readWrite, .create], permissions: 0o600)
      for index in 0..<mebibytes * 256 {
        try unsafe page.withUnsafeBufferPointer { (bytes) throws(Errno) in
          try unsafe file.write(UnsafeRawBufferPointer(bytes), at: Int64(index) * 4096)
        }
      }
      try file.synchronize()
    } catch {
      throw .system(path(name), error)
    }
  }

  /// The database's answer to `sql`, asked natively.
  func ask(_ name: String, _ sql: String) throws(ToolError) -> String? {
    let connection = try SQLiteConnection(sqlite, Target(path: path(name)))
    connection.setBusyTimeout(milliseconds: 10_000)
    return try connection.execute(sql)
  }

  func remove(_ name: String) {
    for suffix in ["", "-journal", "-wal", "-shm"] {
      _ = unsafe unlink(zeroTerminated(path(name) + suffix))
    }
  }

  /// The database as the variant opens it.
  func target(_ name: String, _ variant: Variant, _ server: VariantServer? = nil) -> Target {
    var target = Target(path: path(name))
    switch variant.kind {
    case .stock: break
    case .fuse: target.path = fuse!.mountPoint + "/" + name
    case .sluice:
      target.vfs = "sluice"
      target.library = library
      target.parameters = variant.parameters + (server?.parameters ?? [])
    }
    return target
  }

  /// Starts the server for all clients of the variant. The caller must stop it. A sidecar gets the
  /// options.
  func startServer(
    _ variant: Variant, sidecarOptions: [String] = []
  ) throws(ToolError) -> VariantServer {
    switch variant.kind {
    case .stock: return VariantServer(process: nil)
    case .fuse: return VariantServer(process: fuse!.process)
    case .sluice:
      do throws(SidecarStartError) {
        return VariantServer(
          try SharedSidecar.start(sidecarProgram, root: files, options: sidecarOptions))
      } catch {
        throw .failed(error.text)
      }
    }
  }

  /// Says what goes on, until something else is said.
  func tell(_ what: String) { progress.show(what) }

  // MARK: Results

  /// Prints the text at once.
  func show(_ text: String) {
    progress.clear()
    print(text)
    flushStandardOutput()
  }

  // MARK: Processes

  /// Starts a further run of this program as a measured process, which prepares its work.
  func startPeer(
    _ kind: String, _ target: Target?, _ words: [String] = []
  ) throws(ToolError) -> MeasuredProcess {
    do throws(Errno) {
      return try MeasuredProcess([program, "peer", kind] + (target?.words ?? []) + words)
    } catch {
      throw .system(program, error)
    }
  }

  /// Runs a program that is not ours, by its path; what it says.
  @discardableResult
  func runProgram(_ words: [String], timeoutSeconds: Int) throws(ToolError) -> [UInt8] {
    let process: MeasuredProcess
    do throws(Errno) { process = try MeasuredProcess(words) } catch {
      throw .system(words[0], error)
    }
    process.closeInput()
    return try process.finish(wait, timeoutSeconds: timeoutSeconds)
  }

  /// Starts a measured process and lets it do its work.
  func runPeer(
    _ kind: String, _ target: Target?, _ words: [String] = [], timeoutSeconds: Int = 600
  ) throws(ToolError) -> PeerReport {
    let peer = try startPeer(kind, target, words)
    peer.say("go")
    return try PeerReport(parsing: peer.finish(wait, timeoutSeconds: timeoutSeconds))
  }

  /// Starts several measured processes and lets them do their work at the same time.
  func runPeers(
    _ peers: [(kind: String, words: [String])], _ target: Target, timeoutSeconds: Int = 600
  ) throws(ToolError) -> [PeerReport] {
    var started: [MeasuredProcess] = []
    for (kind, words) in peers { started.append(try startPeer(kind, target, words)) }
    for peer in started { try peer.awaitLine("ready", wait, timeoutSeconds: 60) }
    for peer in started { peer.say("go") }
    var reports: [PeerReport] = []
    for peer in started {
      reports.append(
        try PeerReport(parsing: peer.finish(wait, timeoutSeconds: timeoutSeconds)))
    }
    return reports
  }
}

/// The process that accesses the files for all clients of a variant, if the clients do not do so
/// themselves.
final class VariantServer {
  let process: Int32?
  /// The parameters by which a client finds it.
  let parameters: [String]
  private var sidecar: SharedSidecar?

  init(process: Int32?) {
    self.process = process
    parameters = []
  }

  init(_ sidecar: consuming SharedSidecar) {
    process = sidecar.process
    parameters = ["socket=" + sidecar.socket]
    self.sidecar = consume sidecar
  }

  func stop() {
    if let sidecar = sidecar.take() { sidecar.stop() }
  }
}
