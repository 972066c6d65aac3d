// The names of the metrics objects, and which of them are those of living servers.
//
// A server keeps its object exclusively (flock) for as long as it lives. Its process id does not
// tell whether it lives: in another pid namespace with the same /dev/shm that number is another
// process, or none.

package import CSluice
internal import SluiceSystem

/// The version of an object's layout. Objects of another are not read.
let metricsVersion: UInt32 = 2

/// Makes an object with a name that no living server has. The name is put into `name`.
func createMetricsObject(
  of process: Int32, byteCount: Int, _ name: inout [CChar]
) throws(Errno) -> FileDescriptor {
  for number in 1..<100 {
    name = cString("/sluice-\(process)" + (number == 1 ? "" : ".\(number)"))
    for _ in 0..<2 {
      do throws(Errno) {
        return try unsafe FileDescriptor.createSharedMemoryObject(name, byteCount: byteCount)
      } catch .exists {
        // A server with that number lives in another pid namespace, or has died there.
        guard isLeftBehind(name) else { break }
        try? unsafe unlinkSharedMemoryObject(name)
      }
    }
  }
  throw .exists
}

/// Whether the maker of the object is dead. A server that has just made its object keeps it
/// exclusively a moment later, so this looks twice.
private func isLeftBehind(_ name: [CChar]) -> Bool {
  for isLast in [false, true] {
    guard let object = try? unsafe FileDescriptor.openSharedMemoryObject(name),
      !makerLives(object)
    else { return false }
    if !isLast { Clock.sleep(nanoseconds: 20_000_000) }
  }
  return true
}

/// The names of all metrics objects, those of dead servers included, and the process id of each
/// maker.
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

/// Shows for as long as the description is open that its maker lives.
func keepAsLiving(_ object: borrowing FileDescriptor) {
  for _ in 0..<100 {
    if (try? object.keepExclusively()) != nil { return }
    // Another process just looks whether this server lives.
    Clock.sleep(nanoseconds: 1_000_000)
  }
}

/// Whether the server lives that made this object.
private func makerLives(_ object: borrowing FileDescriptor) -> Bool {
  do throws(Errno) {
    try object.keepExclusively()
    return false
  } catch {
    return true
  }
}

func removeStaleMetrics() {
  // A server that lives here may not keep its object exclusively yet.
  for (name, process) in metricsObjects() where !processExists(process) {
    guard let object = try? unsafe FileDescriptor.openSharedMemoryObject(name),
      !makerLives(object)
    else { continue }
    try? unsafe unlinkSharedMemoryObject(name)
  }
}

/// The counters of every shared server that runs on this machine and that this user may see.
package func readMetrics() -> [sluice_metrics] {
  metricsObjects().sorted { $0.process < $1.process }.compactMap { (name, process) in
    let byteCount = MemoryLayout<sluice_metrics>.size
    guard let descriptor = try? unsafe FileDescriptor.openSharedMemoryObject(name),
      makerLives(descriptor),
      let status = try? descriptor.status(), status.byteCount == Int64(byteCount),
      let mapping = try? Mapping(descriptor, byteCount: byteCount, writable: false)
    else { return nil }
    let copy = unsafe mapping.start.loadUnaligned(as: sluice_metrics.self)
    let isOurs = copy.magic == sluice_magic && copy.version == metricsVersion
    return isOurs && copy.process == process ? copy : nil
  }
}
