// Whether the sidecar lives, in shared memory. Its death shows there before anybody else can open
// the files that it had alone: the kernel ends the words of a dying process (exit_robust_list) when
// it takes down its memory, and closes its files after that.

internal import CSluice
public import SluiceSystem
internal import Synchronization

/// Owns a mapping of a sidecar's sign of life.
@safe
public final class Life: @unchecked Sendable {
  private static var byteCount: Int { MemoryLayout<sluice_life>.size }
  private let mapping: Mapping

  private init(_ mapping: consuming Mapping) { self.mapping = mapping }

  /// Makes the sign, and the descriptor by which clients map it.
  public static func create() throws(Errno) -> (life: Life, descriptor: SharedDescriptor) {
    let descriptor = try FileDescriptor.sealedMemory(
      "sluice-life", byteCount: byteCount, isFinal: false)
    let life = Life(try Mapping(descriptor, byteCount: byteCount))
    unsafe life.page.pointee.magic = sluice_magic
    unsafe life.thread.pointee.store(UInt32(SLUICE_LIFE_OVER), ordering: .releasing)
    try descriptor.forbidWriting()
    return (life, SharedDescriptor(descriptor))
  }

  /// Maps the sign that a sidecar made. Nil where it is not what it should be.
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

  /// True from the moment of the sidecar's death on.
  @inline(__always)
  public var isOver: Bool {
    unsafe thread.pointee.load(ordering: .acquiring) & UInt32(SLUICE_LIFE_OVER) != 0
  }

  /// From now on the sidecar lives as long as the calling thread.
  public func begin() throws(Errno) {
    unsafe thread.pointee.store(UInt32(threadID()), ordering: .releasing)
    do throws(Errno) {
      try unsafe announceEndOfThread(in: sluice_life_thread(page))
    } catch {
      unsafe thread.pointee.store(UInt32(SLUICE_LIFE_OVER), ordering: .releasing)
      throw error
    }
  }

  /// The sidecar ends, in the thread in which it began.
  public func end() {
    unsafe thread.pointee.store(UInt32(SLUICE_LIFE_OVER), ordering: .sequentiallyConsistent)
    try? announceEndOfThread(in: nil)
  }
}
