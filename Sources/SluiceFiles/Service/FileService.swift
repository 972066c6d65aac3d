// The file service: what owns files, for all threads that serve.
//
// Threads: any. Each thread that serves has a FileThread, in which its sessions live.

internal import CSluice
internal import SluiceChannel
internal import SluiceServer
internal import SluiceSystem
internal import SluiceWire

final class FileService: Service {
  private let parts: FileParts

  init(_ parts: FileParts) { self.parts = parts }

  let operations: ClosedRange<UInt16> = 0x0010...0x00ff

  var features: UInt32 {
    (parts.roots.main.usesHostPaths ? UInt32(SLUICE_FEATURE_HOST_PATHS) : 0)
      | (parts.roots.others.isEmpty ? 0 : UInt32(SLUICE_FEATURE_ALSO_DIRECTORIES))
      | parts.configuration.shortcuts.rawValue
  }

  /// A private sidecar has one session, which stays with one thread.
  var threading: Threading {
    .shared(count: parts.configuration.isPrivate ? 1 : parts.configuration.reactorCount)
  }

  func makeWatch() throws(Errno) -> (any Watch)? { try LeaseWatch(parts.files, parts.settlers) }

  func allowItsUse(in ruleset: borrowing LandlockRuleset) throws(Errno) {
    try parts.roots.allowItsUse(in: ruleset)
  }

  func startThread(_ thread: any ServingThread) -> any ServiceThread {
    let own = FileThread(thread, parts)
    parts.settlers.add(own)
    return own
  }

  func stop() {
    parts.workers.stop()
    parts.windowKeeper.stop()
  }
}
