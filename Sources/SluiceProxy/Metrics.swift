// What a sidecar counts, in a POSIX shared-memory object that anybody may read without asking:
// `sluice stats` does. Private sidecars count into memory of their own.
//
// The object's name has the sidecar's process number in it, which is another's when the sidecar is gone,
// and may be that of two in different pid namespaces at once. So the sidecar puts a lock on the
// object, which stands as long as its mapping; one without a lock was left behind.

internal import CSluice
internal import SluiceChannel
internal import SluiceSystem
public import SluiceWire
internal import Synchronization

/// Owns the metrics region, and the object's name until it goes.
@safe
final class Metrics: @unchecked Sendable {
  private let region: UnsafeMutablePointer<sluice_metrics>
  private let mapping: Mapping?
  private let name: [CChar]?
  private let nextRow = Atomic<Int>(0)

  /// Counts for nobody but this process.
  init() {
    unsafe region = .allocate(capacity: 1)
    unsafe region.initialize(to: sluice_metrics())
    mapping = nil
    name = nil
  }

  /// Counts in public. Objects that dead sidecars left behind are removed. Throws `exists` where a
  /// living sidecar has an object of this name.
  init(socketPath: [CChar], rootPath: [CChar]) throws(Errno) {
    removeStaleMetrics()
    let process = processIdentity().process
    let name = metricsName(of: process)
    let byteCount = MemoryLayout<sluice_metrics>.size
    let descriptor = try unsafe FileDescriptor.createSharedMemoryObject(name, byteCount: byteCount)
    _ = try descriptor.setLock(.exclusive, start: 0, byteCount: 1)
    let mapping = try Mapping(descriptor, byteCount: byteCount)
    unsafe region = unsafe mapping.start.assumingMemoryBound(to: sluice_metrics.self)
    self.mapping = .some(mapping)
    self.name = name
    unsafe region.pointee.version = 1
    unsafe region.pointee.process = process
    unsafe region.pointee.started_ms = UInt64(Clock.realtimeMilliseconds())
    unsafe withUnsafeMutableBytes(of: &region.pointee.socket_path) {
      unsafe fill($0, with: socketPath)
    }
    unsafe withUnsafeMutableBytes(of: &region.pointee.root_path) { unsafe fill($0, with: rootPath) }
    unsafe region.pointee.magic = sluice_magic
  }

  deinit {
    if let name { try? unsafe unlinkSharedMemoryObject(name) } else { unsafe region.deallocate() }
  }

  func leaseTaken() { unsafe add(&region.pointee.leases_taken) }
  func leaseBroken() { unsafe add(&region.pointee.leases_broken) }
  func sessionOpened() { unsafe add(&region.pointee.sessions_opened) }
  func sessionClosed() { unsafe add(&region.pointee.sessions_closed) }
  func sessionRefused() { unsafe add(&region.pointee.sessions_refused) }

  private func add(_ counter: UnsafeMutablePointer<UInt64>) {
    unsafe UnsafeMutableRawPointer(counter).assumingMemoryBound(to: Atomic<UInt64>.self)
      .pointee.wrappingAdd(1, ordering: .relaxed)
  }

  /// A row of operation counters for one reactor; the last row serves all beyond the sixteenth,
  /// whose counts may then lose some.
  func takeRow() -> OperationCounts {
    let row = min(
      nextRow.wrappingAdd(1, ordering: .relaxed).oldValue, Int(SLUICE_METRICS_ROW_COUNT) - 1)
    let offset = MemoryLayout<sluice_metrics>.offset(of: \.operations)!
    let start = unsafe UnsafeMutableRawPointer(region) + offset
    return unsafe OperationCounts(
      counts: start.assumingMemoryBound(to: UInt64.self)
        + row * Int(SLUICE_METRICS_OPERATION_COUNT),
      owner: self)
  }
}

/// One reactor's counters by operation code.
@safe
struct OperationCounts {
  fileprivate let counts: UnsafeMutablePointer<UInt64>
  fileprivate let owner: Metrics

  /// Only the reactor writes; a reader may see a count a moment late.
  @inline(__always)
  func count(_ operation: Operation?) {
    guard let operation else { return }
    unsafe counts[Int(operation.rawValue)] &+= 1
  }
}

private func fill(_ field: UnsafeMutableRawBufferPointer, with text: [CChar]) {
  let byteCount = min(text.count, field.count - 1)
  unsafe text.withUnsafeBytes {
    unsafe field.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[..<byteCount]))
  }
}

private func metricsName(of process: Int32) -> [CChar] { cString("/sluice-\(process)") }

/// The processes that have, or had and left behind, a metrics object.
private func metricsProcesses() -> [Int32] {
  guard let names = try? unsafe namesInDirectory(cString("/dev/shm")) else { return [] }
  return names.compactMap { name in
    let text = String(decoding: name, as: UTF8.self)
    guard text.hasPrefix("sluice-") else { return nil }
    return Int32(text.dropFirst("sluice-".count))
  }
}

private func removeStaleMetrics() {
  let own = processIdentity().process
  for process in metricsProcesses() {
    let name = metricsName(of: process)
    // One that is just being made has no lock yet.
    guard process == own || !processExists(process),
      let object = try? unsafe FileDescriptor.openSharedMemoryObject(name),
      !object.isLockedByItsMaker
    else { continue }
    try? unsafe unlinkSharedMemoryObject(name)
  }
}

extension FileDescriptor {
  /// Only who made a metrics object can open it for writing, and so lock it against readers.
  fileprivate var isLockedByItsMaker: Bool {
    (try? blocker(of: .shared, start: 0, byteCount: 1)) ?? nil != nil
  }
}

/// What a running sidecar shows of itself.
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
  /// How many of each operation were done, all reactors together.
  public var operations: [(operation: Operation, count: UInt64)]

  /// The readings of every shared sidecar that runs on this machine and shows itself to this user.
  public static func all() -> [MetricsReading] {
    metricsProcesses().sorted().compactMap(MetricsReading.init(process:))
  }

  private init?(process: Int32) {
    let byteCount = MemoryLayout<sluice_metrics>.size
    guard
      let descriptor = try? unsafe FileDescriptor.openSharedMemoryObject(metricsName(of: process)),
      descriptor.isLockedByItsMaker,
      let status = try? descriptor.status(), status.byteCount == Int64(byteCount),
      let mapping = try? Mapping(descriptor, byteCount: byteCount, writable: false)
    else { return nil }
    let copy = unsafe mapping.start.loadUnaligned(as: sluice_metrics.self)
    guard copy.magic == sluice_magic, copy.version == 1, copy.process == process else { return nil }
    self.process = process
    socketPath = unsafe withUnsafeBytes(of: copy.socket_path, text)
    rootPath = unsafe withUnsafeBytes(of: copy.root_path, text)
    startedMilliseconds = copy.started_ms
    sessionsOpened = copy.sessions_opened
    sessionsClosed = copy.sessions_closed
    sessionsRefused = copy.sessions_refused
    leasesTaken = copy.leases_taken
    leasesBroken = copy.leases_broken
    operations = unsafe withUnsafeBytes(of: copy.operations) { bytes in
      let counts = unsafe bytes.bindMemory(to: UInt64.self)
      let columnCount = Int(SLUICE_METRICS_OPERATION_COUNT)
      return Operation.allCases.map { operation in
        let rows = stride(from: Int(operation.rawValue), to: counts.count, by: columnCount)
        return (operation, rows.reduce(0) { unsafe $0 &+ counts[$1] })
      }
    }
  }
}

private func text(_ field: UnsafeRawBufferPointer) -> String {
  unsafe String(decoding: field.prefix { $0 != 0 }, as: UTF8.self)
}
