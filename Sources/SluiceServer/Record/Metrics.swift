// What a sidecar counts, in a POSIX shared-memory object that anybody may read without asking:
// `sluice stats` does. Private sidecars count into memory of their own.
//
// A sidecar has a lock (flock) on its object for as long as it lives: whether it does cannot be told by
// its number, which is another's, or nobody's, in another pid namespace that has the same /dev/shm.

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

  /// Counts in public. Objects that dead sidecars left behind are removed.
  init(socketPath: [CChar], rootPath: [CChar]) throws(Errno) {
    removeStaleMetrics()
    let process = processIdentity().process
    let byteCount = MemoryLayout<sluice_metrics>.size
    var name: [CChar] = []
    let descriptor = try createMetricsObject(of: process, byteCount: byteCount, &name)
    lock(descriptor)
    // It is the same open description: the lock stands until the mapping goes.
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

  /// How many operations were done, all together.
  var operationCount: UInt64 {
    let offset = MemoryLayout<sluice_metrics>.offset(of: \.operations)!
    let counts = unsafe (UnsafeMutableRawPointer(region) + offset)
      .assumingMemoryBound(to: UInt64.self)
    let count = Int(SLUICE_METRICS_ROW_COUNT) * Int(SLUICE_METRICS_OPERATION_COUNT)
    return (0..<count).reduce(0) {
      unsafe $0 &+ (counts + $1).atomic.pointee.load(ordering: .relaxed)
    }
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
    let counter = unsafe (counts + Int(operation.rawValue)).atomic
    unsafe counter.pointee.store(
      counter.pointee.load(ordering: .relaxed) &+ 1, ordering: .relaxed)
  }
}

extension UnsafeMutablePointer<UInt64> {
  /// The same counter, for those who write and read it at the same time.
  @inline(__always)
  fileprivate var atomic: UnsafeMutablePointer<Atomic<UInt64>> {
    unsafe UnsafeMutableRawPointer(self).assumingMemoryBound(to: Atomic<UInt64>.self)
  }
}

private func fill(_ field: UnsafeMutableRawBufferPointer, with text: [CChar]) {
  let byteCount = min(text.count, field.count - 1)
  unsafe text.withUnsafeBytes {
    unsafe field.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[..<byteCount]))
  }
}

/// An object with a name that no living sidecar has: that is put into `name`.
private func createMetricsObject(
  of process: Int32, byteCount: Int, _ name: inout [CChar]
) throws(Errno) -> FileDescriptor {
  for number in 1..<100 {
    name = cString("/sluice-\(process)" + (number == 1 ? "" : ".\(number)"))
    do throws(Errno) {
      return try unsafe FileDescriptor.createSharedMemoryObject(name, byteCount: byteCount)
    } catch .exists {
      // One of that number lives in another pid namespace.
    }
  }
  throw .exists
}

/// The names of all metrics objects, of the dead too, and the number of the sidecar that made each.
private func metricsObjects() -> [(name: [CChar], process: Int32)] {
  guard let names = try? unsafe namesInDirectory(cString("/dev/shm")) else { return [] }
  return names.compactMap { name in
    let text = String(decoding: name, as: UTF8.self)
    guard text.hasPrefix("sluice-") else { return nil }
    let numbers = text.dropFirst("sluice-".count).split(
      separator: ".", omittingEmptySubsequences: false)
    guard numbers.count <= 2, numbers.allSatisfy({ Int32($0) != nil }) else { return nil }
    return (cString("/" + text), Int32(numbers[0])!)
  }
}

private func lock(_ object: borrowing FileDescriptor) {
  for _ in 0..<100 {
    if (try? object.lockWhole()) != nil { return }
    // Somebody is just looking whether this sidecar lives.
    Clock.sleep(nanoseconds: 1_000_000)
  }
}

/// Whether the sidecar lives that made this object.
private func makerLives(_ object: borrowing FileDescriptor) -> Bool {
  do throws(Errno) {
    try object.lockWhole()
    return false
  } catch {
    return true
  }
}

private func removeStaleMetrics() {
  // One that lives here may not have its lock yet.
  for (name, process) in metricsObjects() where !processExists(process) {
    guard let object = try? unsafe FileDescriptor.openSharedMemoryObject(name),
      !makerLives(object)
    else { continue }
    try? unsafe unlinkSharedMemoryObject(name)
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
    metricsObjects().sorted { $0.process < $1.process }
      .compactMap { MetricsReading(object: $0.name, of: $0.process) }
  }

  private init?(object name: [CChar], of process: Int32) {
    let byteCount = MemoryLayout<sluice_metrics>.size
    guard let descriptor = try? unsafe FileDescriptor.openSharedMemoryObject(name),
      makerLives(descriptor),
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
