// The operations that a slot can request. Raw values are part of the protocol: they never change
// and are never reused. 0x0000–0x000f are the server's own, 0x0010–0x00ff is the file range, 0x0110–0x01ff
// the SQL range, 0x0210–0x02ff the record range, and 0x0310–0x03ff the document range.
// Protocol/SPEC.md has the table, and a test compares it with this file.

/// An operation code.
public enum Operation: UInt16, CaseIterable, Sendable {
  /// Does nothing. Shows the cost of a round trip.
  case nothing = 0x0000
  /// Opens another channel in this session; its descriptors come on the socket before the reply.
  case channelOpen = 0x0001
  /// Closes a channel other than the one that carries this request, and every file opened on it.
  case channelClose = 0x0002

  case fullPathname = 0x0010
  case open = 0x0011
  case delete = 0x0012
  case access = 0x0013

  case close = 0x0020
  case read = 0x0021
  case write = 0x0022
  case truncate = 0x0023
  case sync = 0x0024
  case fileSize = 0x0025
  case lock = 0x0026
  case unlock = 0x0027
  case checkReservedLock = 0x0028
  /// Makes the file at least this large, and reserves its space.
  case allocate = 0x0029
  /// Whether the file no longer has the name by which it was opened.
  case hasMoved = 0x002a
  /// Asks for the descriptor of the database's read window.
  case openWindow = 0x002b
  /// Stands in line for a lock until this file's turn comes. Does not take the lock.
  case lockAwait = 0x002c
  /// The client is about to use addresses in the database's read window. Until the file is closed,
  /// the sidecar takes nothing out of the window.
  case pinWindow = 0x002d
  /// Makes a WAL durable as `sync` does, or promises (`donePromised`) that it will be durable soon.
  case syncPromise = 0x002e
  /// Waits until the last promise to this file is kept.
  case syncAwait = 0x002f

  /// Joins the database's WAL index, the `-shm` file, and measures or extends it.
  case walIndexMap = 0x0030
  case walIndexLock = 0x0031
  case walIndexUnmap = 0x0032
  /// Whether any reader outside this session reads the WAL.
  case hasExternalReader = 0x0033

  /// Opens the channel's database.
  case sqlOpen = 0x0110
  /// Does one SQL statement, and returns its first rows.
  case sqlExecute = 0x0111
  /// Returns further rows.
  case sqlFetch = 0x0112
  /// Ends a statement whose rows were not all read.
  case sqlReset = 0x0113
  /// Reads a piece of a value that did not fit into its page.
  case sqlValueRead = 0x0114
  /// Sends a piece of a parameter that does not fit into its request.
  case sqlValueWrite = 0x0115
  /// Reads a piece of the whole database's image.
  case sqlExport = 0x0116
  /// Waits until the state of the channel's database has a later commit.
  case sqlChangesAwait = 0x0117

  /// Opens the channel's record store.
  case recordsOpen = 0x0210
  /// Stores messages in their order, up to the first that cannot be stored.
  case recordsStore = 0x0211
  /// Sends a piece of messages that do not fit into one request.
  case recordsStage = 0x0212
  /// Begins to load a value, and returns the first page of what all loads of the channel give.
  case recordsLoad = 0x0213
  /// Returns the next page of what the channel's loads give.
  case recordsNext = 0x0214
  /// Returns how much of a value is stored.
  case recordsKnownState = 0x0215
  /// Lets the store erase deleted values, tells it of one, or has it erase all now.
  case recordsErase = 0x0216
  /// The client has dropped a value from its memory.
  case recordsUnmount = 0x0217
  /// Notes which values which peers have, and which not.
  case recordsTrack = 0x0218
  /// Returns the ids of values that some peer does not have.
  case recordsUnsynced = 0x0219
  /// Forgets which peers do not have a value.
  case recordsStopTracking = 0x021a
  /// Returns the ids of the values in the order of their creation.
  case recordsIDs = 0x021b
  /// Returns how many values there are.
  case recordsCount = 0x021c
  /// Acquires, renews or releases the lock of the reconciliation with a peer.
  case recordsLock = 0x021d
  /// Checks a part of the store, and returns what is wrong in it.
  case recordsVerify = 0x021e
  /// Begins, commits or gives up a transaction around the channel's stores.
  case recordsImport = 0x021f
  /// Closes the channel's record store.
  case recordsClose = 0x0220

  /// Opens the channel's space of documents.
  case documentsOpen = 0x0310
  /// Sends a piece of a call that does not fit into one request.
  case documentsStage = 0x0311
  /// Returns a further part of the last call's answer.
  case documentsNext = 0x0312
  /// Does a transaction, and returns its receipt.
  case documentsTransact = 0x0313
  /// Returns a state of a branch, as JSON or as an Automerge file.
  case documentsRead = 0x0314
  /// Returns the JSON of what stands at one path.
  case documentsValue = 0x0315
  /// Returns changes of a branch in their order.
  case documentsChanges = 0x0316
  /// Returns the ids of the documents.
  case documentsDocuments = 0x0317
  /// Returns the branches of a document or of all.
  case documentsBranches = 0x0318
  /// Returns one branch: its heads, and what else is known of it.
  case documentsBranch = 0x0319
  case documentsCreateBranch = 0x031a
  case documentsCloseBranch = 0x031b
  /// Merges a branch into another of its document.
  case documentsMerge = 0x031c
  /// Returns what transactions have done to a branch, the newest first.
  case documentsLog = 0x031d
  /// Keeps content, and returns its digest.
  case documentsContentPut = 0x031e
  case documentsContentGet = 0x031f
  /// Returns the space's settings, after it has replaced them if there are new ones.
  case documentsSettings = 0x0320
  /// The same of the invariants.
  case documentsInvariants = 0x0321
  /// Checks the space, and returns what is wrong in it.
  case documentsVerify = 0x0322
  /// Deletes what can be made anew.
  case documentsCollect = 0x0323
  /// Leaves the channel's space.
  case documentsClose = 0x0324

  /// Whether the request has no arguments.
  public var hasNoArguments: Bool {
    switch self {
    case .nothing, .channelOpen, .close, .sync, .fileSize, .checkReservedLock, .hasMoved,
      .openWindow, .pinWindow, .syncPromise, .syncAwait, .hasExternalReader, .sqlExecute, .sqlFetch,
      .sqlReset, .recordsNext, .recordsTrack, .recordsCount, .recordsClose, .documentsClose:
      true
    case .channelClose, .fullPathname, .open, .delete, .access, .read, .write, .truncate, .lock,
      .unlock, .allocate, .lockAwait, .walIndexMap, .walIndexLock, .walIndexUnmap, .sqlOpen,
      .sqlValueRead, .sqlValueWrite, .sqlExport, .sqlChangesAwait, .recordsOpen, .recordsStore,
      .recordsStage, .recordsLoad, .recordsKnownState, .recordsErase, .recordsUnmount,
      .recordsUnsynced, .recordsStopTracking, .recordsIDs, .recordsLock, .recordsVerify,
      .recordsImport, .documentsOpen, .documentsStage, .documentsNext, .documentsTransact,
      .documentsRead, .documentsValue, .documentsChanges, .documentsDocuments, .documentsBranches,
      .documentsBranch, .documentsCreateBranch, .documentsCloseBranch, .documentsMerge,
      .documentsLog, .documentsContentPut, .documentsContentGet, .documentsSettings,
      .documentsInvariants, .documentsVerify, .documentsCollect:
      false
    }
  }

  /// Who serves it.
  public enum Range: Sendable { case server, files, sql, records, documents }

  @inline(__always)
  public var range: Range {
    switch rawValue >> 8 {
    case 0: rawValue < 0x10 ? .server : .files
    case 1: .sql
    case 2: .records
    default: .documents
    }
  }

  /// Whether the slot names an open file.
  public var needsFile: Bool { (0x0020...0x00ff).contains(rawValue) }

  /// The column of its counter in the metrics. Each range of codes leaves out its first 16, which
  /// are the server's. An engine counts SQL, behind it records, and documents behind what else it
  /// counts.
  public var counterIndex: Int {
    let column = Int(rawValue & 0xff)
    return switch range {
    case .records: column + 16
    case .documents: column + 48
    case .server, .files, .sql: column
    }
  }
}
