// What the shared sidecars and engines of this machine have counted.

internal import CSluice
internal import SluiceServer
public import SluiceWire

/// The counters of one running sidecar, as they were when they were read.
public struct MetricsReading: Sendable {
  public var process: Int32
  public var socketPath: String
  public var rootPath: String
  public var startedMilliseconds: UInt64
  public var sessionsOpened: UInt64
  public var sessionsClosed: UInt64
  public var sessionsRefused: UInt64
  public var leasesTaken: UInt64
  public var leasesBroken: UInt64
  /// How many commits were promised a sync of their WAL, and how many syncs kept these promises.
  public var syncsPromised: UInt64
  public var syncsShared: UInt64
  /// Whether it is an engine; `rootPath` is then the socket of its file sidecar.
  public var isEngine: Bool
  /// Of records: messages stored, loads that found their value, messages that loads gave, and values
  /// erased; all 0 for a sidecar.
  public var storedMessageCount: UInt64
  public var loadCount: UInt64
  public var loadedMessageCount: UInt64
  public var erasedValueCount: UInt64
  /// An engine's: the rows that it gave, and executions whose statement was kept compiled or not.
  public var rowCount: UInt64
  public var prepareHitCount: UInt64
  public var prepareMissCount: UInt64
  /// How many of each operation were done, by all threads together.
  public var operations: [(operation: Operation, count: UInt64)]

  /// The readings of every shared sidecar that runs on this machine and that this user may see.
  public static func all() -> [MetricsReading] { readMetrics().map(MetricsReading.init) }

  private init(_ copy: sluice_metrics) {
    process = copy.process
    socketPath = unsafe withUnsafeBytes(of: copy.socket_path, text)
    rootPath = unsafe withUnsafeBytes(of: copy.root_path, text)
    startedMilliseconds = copy.started_ms
    sessionsOpened = copy.sessions_opened
    sessionsClosed = copy.sessions_closed
    sessionsRefused = copy.sessions_refused
    leasesTaken = copy.leases_taken
    leasesBroken = copy.leases_broken
    syncsPromised = copy.syncs_promised
    syncsShared = copy.syncs_shared
    let sums = unsafe withUnsafeBytes(of: copy.operations) { bytes in
      let counts = unsafe bytes.bindMemory(to: UInt64.self)
      let columnCount = Int(SLUICE_METRICS_OPERATION_COUNT)
      return (0..<columnCount).map { column in
        stride(from: column, to: counts.count, by: columnCount)
          .reduce(UInt64(0)) { unsafe $0 &+ counts[$1] }
      }
    }
    let isEngine = copy.service == UInt64(SLUICE_METRICS_SQL.rawValue)
    self.isEngine = isEngine
    func engineCount(_ column: UInt32) -> UInt64 { isEngine ? sums[Int(column)] : 0 }
    storedMessageCount = engineCount(SLUICE_METRICS_RECORDS_STORED.rawValue)
    loadCount = engineCount(SLUICE_METRICS_RECORDS_LOADS.rawValue)
    loadedMessageCount = engineCount(SLUICE_METRICS_RECORDS_CHUNKS.rawValue)
    erasedValueCount = engineCount(SLUICE_METRICS_RECORDS_ERASED.rawValue)
    rowCount = engineCount(SLUICE_METRICS_SQL_ROWS.rawValue)
    prepareHitCount = engineCount(SLUICE_METRICS_SQL_PREPARE_HITS.rawValue)
    prepareMissCount = engineCount(SLUICE_METRICS_SQL_PREPARE_MISSES.rawValue)
    operations = Operation.allCases
      .filter { operation in
        isEngine
          ? operation.rawValue >= 0x0100 || operation == .nothing : operation.rawValue < 0x0100
      }
      .map { ($0, sums[$0.counterIndex]) }
  }
}

private func text(_ field: UnsafeRawBufferPointer) -> String {
  unsafe String(decoding: field.prefix { $0 != 0 }, as: UTF8.self)
}
