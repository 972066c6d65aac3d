// This process's registry, where open files find each other.
//
// Threads: any.

internal import SluiceClient
internal import SluiceSystem
internal import Synchronization

extension OpenFile {
  /// The address of the registry, 0 at first. After a fork it is the parent's registry.
  private static let registryBits = Atomic<UInt>(0)

  /// This process's registry of open databases.
  static var registry: Registry<OpenFile> {
    while true {
      let bits = registryBits.load(ordering: .acquiring)
      if let pointer = unsafe UnsafeRawPointer(bitPattern: bits) {
        let place = unsafe Unmanaged<Registry<OpenFile>>.fromOpaque(pointer)
        let registry = unsafe place.takeUnretainedValue()
        if registry.epoch.isCurrent { return registry }
      }
      replaceRegistry(bits)
    }
  }

  /// Puts an empty registry in the place of the one with these bits, unless another thread has.
  @inline(never)
  private static func replaceRegistry(_ bits: UInt) {
    let fresh = unsafe Unmanaged.passRetained(Registry<OpenFile>())
    let installed = unsafe registryBits.compareExchange(
      expected: bits, desired: UInt(bitPattern: fresh.toOpaque()),
      ordering: .acquiringAndReleasing
    ).exchanged
    if !installed { unsafe fresh.release() }
  }

  /// The database that this file belongs to, or is. Nil if other databases may use its channel too.
  var database: OpenFile? {
    if token != 0 { return self }
    let channel = remote.channel
    return channel.isShared ? nil : OpenFile.registry.database(on: channel)
  }
}
