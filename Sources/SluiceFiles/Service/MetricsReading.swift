// What the shared sidecars of this machine have counted.

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
    operations = unsafe withUnsafeBytes(of: copy.operations) { bytes in
      let counts = unsafe bytes.bindMemory(to: UInt64.self)
      let columnCount = Int(SLUICE_METRICS_OPERATION_COUNT)
      return Operation.allCases.filter { $0.rawValue < 0x0100 }.map { operation in
        let rows = stride(from: operation.counterIndex, to: counts.count, by: columnCount)
        return (operation, rows.reduce(0) { unsafe $0 &+ counts[$1] })
      }
    }
  }
}

private func text(_ field: UnsafeRawBufferPointer) -> String {
  unsafe String(decoding: field.prefix { $0 != 0 }, as: UTF8.self)
}
