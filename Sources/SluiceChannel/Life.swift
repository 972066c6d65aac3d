// Shared memory that says whether the sidecar lives. The sidecar's death shows there before another
// process can open the files that the sidecar had alone. When a process dies, the kernel first
// marks its words (exit_robust_list) and takes down its memory, and closes its files after that.

internal import CSluice
public import SluiceSystem
internal import Synchronization

/// Owns a mapping of a sidecar's sign of life.
@safe
public final class Life: @unchecked Sendable {
  private static var byteCount: Int { MemoryLayout<sluice_life>.size }
  private let mapping: Mapping

  private init(_ mapping: consuming Mapping) { self.mapping = mapping }

  /// Makes the sign of life, and the descriptor by which clients map it.
  public static func create() throws(Errno) -> (life: Life, descriptor: SharedDescriptor) {
    let descriptor = try FileDescriptor.sealedMemory(
      "sluice-life", byteCount: byteCount, isFinal: false)
    let life = Life(try Mapping(descriptor, byteCount: byteCount))
    unsafe life.page.pointee.magic = sluice_magic
    unsafe life.thread.pointee.store(UInt32(SLUICE_LIFE_OVER), ordering: .releasing)
    try descriptor.forbidWriting()
    return (life, SharedDescriptor(descriptor))
  }

  /// Maps the sign of life that a sidecar made. Nil if it is malformed.
  public static func attach(_ descriptor: borrowing FileDescriptor) throws(Errno) -> Life? {
    guard descriptor.isSealedMemory(byteCount: byteCount) else { return nil }
    let life = Life(try Mapping(descriptor, byteCount: byteCount, writable: false))
    return unsafe life.page.pointee.magic == sluice_magic ? life : nil
  }

  private var page: UnsafeMutablePointer<sluice_life> {
    unsafe mapping.start.assumingMemoryBound(to: sluice_life.self)
  }

  private var thread: SharedWord {
    unsafe SharedWord(
      UnsafeRawPointer(sluice_life_thread(page)).assumingMemoryBound(to: Atomic<UInt32>.self))
  }

  /// Whether the sidecar is dead.
  @inline(__always)
  public var isOver: Bool {
    unsafe thread.pointee.load(ordering: .acquiring) & UInt32(SLUICE_LIFE_OVER) != 0
  }

  /// Says that the sidecar lives, until the calling thread ends.
  public func begin() throws(Errno) {
    unsafe thread.pointee.store(UInt32(threadID()), ordering: .releasing)
    do throws(Errno) {
      try unsafe announceEndOfThread(in: sluice_life_thread(page))
    } catch {
      unsafe thread.pointee.store(UInt32(SLUICE_LIFE_OVER), ordering: .releasing)
      throw error
    }
  }

  /// Says that the sidecar has ended. To be called in the thread that called `begin`.
  public func end() {
    unsafe thread.pointee.store(UInt32(SLUICE_LIFE_OVER), ordering: .sequentiallyConsistent)
    try? announceEndOfThread(in: nil)
  }
}
