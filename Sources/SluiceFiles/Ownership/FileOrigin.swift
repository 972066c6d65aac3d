// Tells a file from every other that had, or will have, its device and inode number. The kernel
// gives these numbers out again, often at once, when a file is gone, or when another file system is
// mounted in the place of one.
//
// The origin is a digest of what the kernel says of the open file:
//   which file system it is on   its own number, as far as it has one
//   its handle                   where the file system keeps a generation number (FileSystemKind)
//   its time of birth            where the file system tells it
// Of the last two there must be one. The digest guards against accident and is no cryptography. A
// user that may replace files in the directory can perhaps, with some work, make one with the
// digest of another. That user wins nothing by it, because it can also write into the file.

internal import SluiceSystem

/// The digest; 0 where such files cannot be told apart.
func origin(of file: borrowing FileDescriptor) -> UInt64 {
  guard let system = try? file.fileSystem() else { return 0 }
  var digest = Digest()
  digest.add(system.which)
  var isProof = false
  let handle: [UInt8]? =
    switch FileSystemKind(magic: system.magic).handle {
    case .generation: file.handle()
    case .generationOfAName: file.handle(isOnlyAName: true)
    case .nothing: nil
    }
  if let handle {
    isProof = true
    digest.add(handle)
  }
  if let birth = file.birthTime() {
    isProof = true
    digest.add(UInt64(bitPattern: birth.seconds))
    digest.add(UInt64(birth.nanoseconds))
  }
  return isProof ? digest.value : 0
}

/// FNV-1a.
private struct Digest {
  private var state: UInt64 = 0xcbf2_9ce4_8422_2325

  mutating func add(_ bytes: [UInt8]) {
    add(UInt64(bytes.count))
    for byte in bytes { add(byte) }
  }

  mutating func add(_ number: UInt64) {
    for shift in stride(from: UInt64(0), to: 64, by: 8) {
      add(UInt8(truncatingIfNeeded: number >> shift))
    }
  }

  private mutating func add(_ byte: UInt8) { state = (state ^ UInt64(byte)) &* 0x100_0000_01b3 }

  /// Never 0.
  var value: UInt64 { state == 0 ? 1 : state }
}
