// Automerge files into a space and out of it. An imported file is never believed: its changes are what is
// stored, and the space checks each.

internal import CSluice
internal import SluiceAutomerge
internal import SluiceCommand
internal import SluiceDocuments
internal import SluiceSystem

extension DocumentsTool {
  /// The most changes of one transaction of an import, and their most bytes.
  private static let changeCountMax = 16_384
  private static let byteCountMax = 16 << 20

  func importFile(_ bytes: [UInt8]) throws(DocumentFailure) -> Int32 {
    let document: Document
    let genesis: Change
    do throws(AutomergeError) {
      document = try Document(loading: bytes)
      genesis = try DocumentGenesis.change(of: ref.docID)
    } catch {
      throw .automerge(error)
    }
    guard document.waitingChanges.isEmpty, !document.history.isEmpty else {
      printError("sluice: documents: the file has no changes, or lacks some on which others depend")
      return 2
    }
    let known = try knownHeads()
    guard known.allSatisfy({ document.contains($0) }) else {
      printError(
        "sluice: documents: the file lacks changes that \(ref) has; import it as another branch")
      return 2
    }
    let hasGenesis = document.contains(genesis.hash)
    var base = known
    if base.isEmpty, hasGenesis { base = [genesis.hash] }
    let changes = document.changes(since: base)
    guard try store(changes, upon: base) else { return 2 }
    let branch = try connection.branch(ref)
    printLine("imported snapshot for \(ref) upto_seq_no=\(branch.sequence)")
    return 0
  }

  /// The branch's heads; none if it is not there.
  private func knownHeads() throws(DocumentFailure) -> [ChangeHash] {
    do throws(DocumentFailure) { return try connection.branch(ref).heads } catch {
      guard case .space(let code, _) = error, ["InvalidDoc", "InvalidBranch"].contains(code) else {
        throw error
      }
      return []
    }
  }

  /// Stores changes in their order: in one transaction, if they are not too many. False if the space
  /// refuses; what it has taken before stays.
  private func store(
    _ changes: [Change], upon base: [ChangeHash]
  ) throws(DocumentFailure) -> Bool {
    var base = base
    var rest = changes[...]
    while !rest.isEmpty {
      var part: [[UInt8]] = []
      var byteCount = 0
      while let change = rest.first, part.count < Self.changeCountMax,
        part.isEmpty || byteCount + change.bytes.count <= Self.byteCountMax
      {
        part.append(change.bytes)
        byteCount += change.bytes.count
        rest.removeFirst()
      }
      let receipt = try connection.transact(
        DocumentTransaction(writes: [.init(ref, base: base, changes: part)]))
      guard receipt.isStored, let heads = receipt.results.first?.heads else {
        printError(
          "sluice: documents: \(ref): \(receipt.conflicts.first?.reason ?? "not stored")")
        return false
      }
      base = heads
    }
    return true
  }
}

/// All of standard input.
func readStandardInput() -> [UInt8] {
  var bytes: [UInt8] = []
  var part = [UInt8](repeating: 0, count: 1 << 16)
  while true {
    let count = unsafe read(0, &part, part.count)
    if count > 0 { bytes += part[..<count] }
    if count == 0 || (count < 0 && sluice_errno() != EINTR) { return bytes }
  }
}

/// Writes all of the bytes on standard output. If its reader is gone, nobody misses the rest.
func writeOutput(_ bytes: [UInt8]) {
  var rest = bytes[...]
  while !rest.isEmpty {
    let count = unsafe rest.withUnsafeBytes { unsafe write(1, $0.baseAddress, $0.count) }
    if count < 0, sluice_errno() == EINTR { continue }
    if count <= 0 { return }
    rest = rest.dropFirst(count)
  }
}
