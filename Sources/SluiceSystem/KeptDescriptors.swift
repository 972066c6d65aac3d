// Descriptors from the sidecar that are open in this process, because the process could not use a
// child that receives them in its place (see `SharedMapping.receive`). Closing any descriptor of a
// file drops every POSIX lock that the process has on the file, and stock SQLite may have some. So:
//
//   - There is one descriptor for each file and session. All mappings of the file use it. If
//     another descriptor of the same file comes with a message, the kernel drops it, and the
//     process loses no lock.
//   - A descriptor without mappings is closed only if this process has no other descriptor of the
//     file, because then it has no lock on the file. /proc shows this. If /proc cannot show it, the
//     descriptor is closed only if no process has a lock on the file, as F_OFD_GETLK says. That
//     call counts this process's own POSIX locks as another's.
//   - Between this check and the close, stock SQLite opens no index, because the caller of
//     `closeUnused` holds the mutex under which its unix VFS opens one. Another copy of SQLite in
//     the process has its own mutex. If it opens this database natively within that microsecond, it
//     may lose its first lock.
//   - Otherwise the descriptor stays open, and `closeUnused` checks again when the next index is
//     opened or closed. If its file is opened again before that, the descriptor is used again.
//
// A program that closes all its descriptors closes these too. So a number is checked before it is
// used or closed.
//
// Threads: any, under one lock. A forked child starts without kept descriptors, and leaves
// inherited ones open.

internal import CSluice
internal import Synchronization

/// The numbers of a file. Valid while the file is open somewhere.
public struct FileNumber: Equatable, Sendable {
  public var device: UInt64
  public var inode: UInt64

  public init(device: UInt64, inode: UInt64) {
    self.device = device
    self.inode = inode
  }
}

/// One use of a kept descriptor.
final class KeptDescriptor: Sendable {
  private let entry: KeptDescriptors.Entry
  private let keeper: KeptDescriptors

  fileprivate init(_ entry: KeptDescriptors.Entry, _ keeper: KeptDescriptors) {
    self.entry = entry
    self.keeper = keeper
  }

  var number: Int32 { entry.number }

  deinit { keeper.endUse(of: entry) }
}

public final class KeptDescriptors: Sendable {
  /// An entry of a list, because there is hardly ever more than one. Changed under the lock.
  fileprivate final class Entry: @unchecked Sendable {
    let number: Int32
    let file: FileNumber
    /// The socket that it came from. What one sidecar says about a file gives no access to a
    /// descriptor from another sidecar.
    let source: UInt64
    var useCount = 1
    var next: Entry?

    init(_ number: Int32, _ file: FileNumber, source: UInt64, before next: Entry?) {
      self.number = number
      self.file = file
      self.source = source
      self.next = next
    }

    /// Whether the number still belongs to this file.
    var isOurs: Bool { sluice_descriptor_is_marked(number, file.device, file.inode) == 1 }
  }

  private struct List: ~Copyable {
    var first: Entry?
  }

  private let epoch = ProcessEpoch.current
  private let list = FutexLock(List())

  private static let shared = Atomic<UInt>(0)
  /// Whether this process has none, and the process that it was forked from had none.
  private static let hasNone = Atomic<Bool>(true)

  private static var current: KeptDescriptors {
    while true {
      let bits = shared.load(ordering: .acquiring)
      if let pointer = unsafe UnsafeRawPointer(bitPattern: bits) {
        let keeper = unsafe Unmanaged<KeptDescriptors>.fromOpaque(pointer).takeUnretainedValue()
        if keeper.epoch.isCurrent { return keeper }
      }
      let fresh = unsafe Unmanaged.passRetained(KeptDescriptors())
      let installed = unsafe shared.compareExchange(
        expected: bits, desired: UInt(bitPattern: fresh.toOpaque()),
        ordering: .acquiringAndReleasing
      ).exchanged
      if !installed { unsafe fresh.release() }
    }
  }

  /// Whether there are none. Takes no lock.
  public static var isEmpty: Bool { hasNone.load(ordering: .relaxed) }

  /// The descriptor of `file` that came from this socket before.
  static func use(_ file: FileNumber, from socket: borrowing FileDescriptor) -> KeptDescriptor? {
    if isEmpty { return nil }
    let source = sluice_socket_cookie(socket.rawValue)
    let keeper = current
    return keeper.list.withLock { list in
      var next = list.first
      while let entry = next {
        if entry.file == file, entry.source == source, entry.isOurs {
          entry.useCount += 1
          return KeptDescriptor(entry, keeper)
        }
        next = entry.next
      }
      return nil
    }
  }

  /// Keeps a descriptor that has just come from this socket. Nil if the descriptor belongs to no
  /// file; it then stays open for ever.
  static func take(_ number: Int32, from socket: borrowing FileDescriptor) -> KeptDescriptor? {
    var status = stat()
    guard unsafe sluice_fstat(number, &status) == 0, sluice_descriptor_mark(number) == 0 else {
      return nil
    }
    let file = FileNumber(device: UInt64(status.st_dev), inode: UInt64(status.st_ino))
    let source = sluice_socket_cookie(socket.rawValue)
    let keeper = current
    return keeper.list.withLock { list in
      // An older entry with this number does not own the number any more.
      keeper.forget(&list) { $0.number == number }
      let entry = Entry(number, file, source: source, before: list.first)
      list.first = entry
      hasNone.store(false, ordering: .relaxed)
      return KeptDescriptor(entry, keeper)
    }
  }

  fileprivate func endUse(of entry: Entry) {
    // In a forked child, a thread that does not exist there may hold the lock.
    if epoch.isCurrent { list.withLock { _ in entry.useCount -= 1 } }
  }

  /// Closes the descriptors without mappings, if the close drops no lock. The caller holds the
  /// mutex under which stock SQLite opens such files.
  public static func closeUnused() {
    let keeper = current
    keeper.list.withLock { list in
      keeper.forget(&list) { !$0.isOurs }
      var next = list.first
      while let entry = next {
        next = entry.next
        guard keeper.mayClose(entry, list) else { continue }
        keeper.forget(&list) { other in
          guard other.file == entry.file else { return false }
          _ = sluice_close_descriptor(other.number)
          return true
        }
        next = list.first
      }
      hasNone.store(list.first == nil, ordering: .relaxed)
    }
  }

  private func forget(_ list: inout List, where isGone: (Entry) -> Bool) {
    var kept: Entry?
    var next = list.first
    while let entry = next {
      next = entry.next
      if isGone(entry) { continue }
      entry.next = kept
      kept = entry
    }
    list.first = kept
  }

  /// Whether this process has no descriptor of the file except unused ones in this list, or no lock
  /// on it.
  private func mayClose(_ entry: Entry, _ list: borrowing List) -> Bool {
    var ours: Int32 = 0
    var next = list.first
    while let other = next {
      if other.file == entry.file {
        if other.useCount > 0 { return false }
        ours += 1
      }
      next = other.next
    }
    let all = sluice_descriptors_of(entry.file.device, entry.file.inode)
    return all >= 0 ? all == ours : sluice_ofd_lock_blocker(entry.number, F_WRLCK, 0, 0) == 0
  }
}
