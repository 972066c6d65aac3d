// The forms that the original's command has. They take the directory of SPACES_DIR.

internal import CSluice
internal import SluiceCommand
internal import SluiceDocuments
internal import SluiceSystem

extension DocumentsTask {
  func run(older action: String, _ options: inout Options) throws(CommandError) -> Int32 {
    var task = self
    task.directory = unsafe environmentValue("SPACES_DIR").map { unsafe text(of: $0) } ?? ".spaces"
    task.space = try options.value("--space")
    task.docID = try options.value("--doc")
    let sequence = try options.value("--seq")
    let output = try options.value("--out")
    let input = try options.value("--file")
    try options.finish()
    if action == "list-spaces" { return try task.listSpaces() }
    guard task.space != nil else { throw .usage("\(action): --space is missing") }
    if action == "list-branches" {
      return try task.inSpace { (tool) throws(DocumentFailure) in
        try tool.listBranches()
        return 0
      }
    }
    guard task.docID != nil else { throw .usage("\(action): --doc is missing") }
    if action == "import-snapshot" {
      guard let input else { throw .usage("\(action): --file is missing") }
      let bytes = try AutomergeFile(path: input).bytes()
      return try task.inSpace { (tool) throws(DocumentFailure) in try tool.importFile(bytes) }
    }
    guard let output else { throw .usage("\(action): --out is missing") }
    if let sequence {
      guard let number = Int64(sequence), number >= 0 else {
        throw .usage("--seq takes the number of a change")
      }
      task.point = .sequence(number)
    }
    var bytes: [UInt8] = []
    let code = try task.inSpace { (tool) throws(DocumentFailure) in
      bytes = try tool.connection.bytes(tool.ref, at: tool.task.point).bytes
      return 0
    }
    try put(bytes, output)
    printLine("wrote \(bytes.count) bytes to \(output)")
    return code
  }

  private func put(_ bytes: [UInt8], _ path: String) throws(CommandError) {
    do throws(Errno) {
      let file = try unsafe FileDescriptor.open(
        zeroTerminated(path), [.readWrite, .create], permissions: 0o666)
      let failure = unsafe bytes.withUnsafeBytes { bytes -> Errno? in
        do throws(Errno) {
          try unsafe file.write(bytes, at: 0)
          try file.truncate(toByteCount: Int64(bytes.count))
          return nil
        } catch {
          return error
        }
      }
      if let failure { throw failure }
    } catch {
      throw .failed("documents: \(path): \(error.message)")
    }
  }
}
