// The counters of a server, in a POSIX shared-memory object that every user of the machine may read
// without asking the server: `sluice stats` does. A server for one client counts in memory of its
// own.

package import CSluice
internal import SluiceChannel
package import SluiceSystem
internal import SluiceWire
internal import Synchronization

/// Owns the metrics region, and the object's name until it goes.
@safe
package final class Metrics: @unchecked Sendable {
  private let region: UnsafeMutablePointer<sluice_metrics>
  private let mapping: Mapping?
  /// Nil where no other process reads the counters.
  private let name: [CChar]?
  private let isNamed = Atomic<Bool>(true)
  private let nextRow = Atomic<Int>(0)

  /// Counts for this process alone.
  package init() {
    unsafe region = .allocate(capacity: 1)
    unsafe region.initialize(to: sluice_metrics())
    mapping = nil
    name = nil
  }

  /// Counts in public, under these paths (zero-terminated). Objects that dead servers left behind
  /// are removed.
  package init(
    socketPath: [CChar], rootPath: [CChar], service: sluice_metrics_service
  ) throws(Errno) {
    removeStaleMetrics()
    let process = processIdentity().process
    let byteCount = MemoryLayout<sluice_metrics>.size
    var name: [CChar] = []
    let descriptor = try createMetricsObject(of: process, byteCount: byteCount, &name)
    keepAsLiving(descriptor)
    // The mapping keeps the open description, and with it the proof that this server lives.
    let mapping = try Mapping(descriptor, byteCount: byteCount)
    unsafe region = unsafe mapping.start.assumingMemoryBound(to: sluice_metrics.self)
    self.mapping = .some(mapping)
    self.name = name
    unsafe region.pointee.version = metricsVersion
    unsafe region.pointee.process = process
    unsafe region.pointee.service = UInt64(service.rawValue)
    unsafe region.pointee.started_ms = UInt64(Clock.realtimeMilliseconds())
    unsafe withUnsafeMutableBytes(of: &region.pointee.socket_path) {
      unsafe fill($0, with: socketPath)
    }
    unsafe withUnsafeMutableBytes(of: &region.pointee.root_path) { unsafe fill($0, with: rootPath) }
    unsafe region.pointee.magic = sluice_magic
  }

  deinit {
    removeName()
    if name == nil { unsafe region.deallocate() }
  }

  /// Takes the object's name away, once. Its readers keep what they have.
  func removeName() {
    guard let name, isNamed.exchange(false, ordering: .relaxed) else { return }
    try? unsafe unlinkSharedMemoryObject(name)
  }

  func sessionOpened() { add(to: \.sessions_opened) }
  func sessionClosed() { add(to: \.sessions_closed) }
  func sessionRefused() { add(to: \.sessions_refused) }

  /// Counts one more in a counter of the region.
  package func add(to counter: KeyPath<sluice_metrics, UInt64>) {
    guard let offset = MemoryLayout<sluice_metrics>.offset(of: counter) else {
      preconditionFailure("a counter is a stored field")
    }
    unsafe (UnsafeMutableRawPointer(region) + offset).assumingMemoryBound(to: Atomic<UInt64>.self)
      .pointee.wrappingAdd(1, ordering: .relaxed)
  }

  /// How many operations were done, all together.
  package var operationCount: UInt64 {
    let offset = MemoryLayout<sluice_metrics>.offset(of: \.operations)!
    let counts = unsafe (UnsafeMutableRawPointer(region) + offset)
      .assumingMemoryBound(to: UInt64.self)
    let count = Int(SLUICE_METRICS_ROW_COUNT) * Int(SLUICE_METRICS_OPERATION_COUNT)
    return (0..<count).reduce(0) {
      unsafe $0 &+ (counts + $1).atomic.pointee.load(ordering: .relaxed)
    }
  }

  /// A row of operation counters for one thread. The last row serves all threads from the sixteenth
  /// on, and may lose some of their counts.
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

/// One thread's counters by operation code.
@safe
package struct OperationCounts {
  let counts: UnsafeMutablePointer<UInt64>
  let owner: Metrics

  /// Only the thread writes. A reader may see a count a moment late.
  @inline(__always)
  func count(_ operation: Operation?) {
    guard let operation else { return }
    add(1, at: operation.counterIndex)
  }

  /// Counts something that is no operation, in a column that no operation has.
  @inline(__always)
  package func add(_ count: UInt64, at column: Int) {
    precondition(column < Int(SLUICE_METRICS_OPERATION_COUNT), "a column of the row")
    let counter = unsafe (counts + column).atomic
    unsafe counter.pointee.store(
      counter.pointee.load(ordering: .relaxed) &+ count, ordering: .relaxed)
  }
}

extension UnsafeMutablePointer<UInt64> {
  /// The same counter, for threads that write and read it at the same time.
  @inline(__always)
  var atomic: UnsafeMutablePointer<Atomic<UInt64>> {
    unsafe UnsafeMutableRawPointer(self).assumingMemoryBound(to: Atomic<UInt64>.self)
  }
}

private func fill(_ field: UnsafeMutableRawBufferPointer, with text: [CChar]) {
  let byteCount = min(text.count, field.count - 1)
  unsafe text.withUnsafeBytes {
    unsafe field.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[..<byteCount]))
  }
}
