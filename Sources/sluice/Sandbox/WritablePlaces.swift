// What a sandbox leaves writable: directories with all that is beneath them, and a few devices.
//
// Landlock and the supervisor judge a place alike: by the identity of the directories on the way up
// from a file, beginning with the name by which the file was opened. So a file with two names may
// be changed by the one that lies in a writable directory, and by no other. A sandbox makes no new
// name of a file from outside in such a directory, because Landlock refuses that.

internal import CSluice
internal import SluiceCommand
internal import SluiceSystem

struct WritablePlaces {
  private struct Place {
    let file: SharedDescriptor
    let identity: FilePlace
    let path: [UInt8]
  }

  private var directories: [Place] = []
  private var devices: [Place] = []

  /// The directories of `--writable`, and the devices that each sandbox may use: /dev/null and its
  /// like, and the terminal on which this process was started.
  init(_ paths: [String]) throws(CommandError) {
    for path in paths {
      do throws(Errno) {
        directories.append(
          try WritablePlaces.place(
            unsafe FileDescriptor.open(zeroTerminated(path), [.pathOnly, .directory])))
      } catch {
        throw .failed("run: --writable \(path): \(unsafe String(cString: error.text))")
      }
    }
    for device in ["/dev/null", "/dev/zero", "/dev/full", "/dev/tty"] {
      // A machine may have no such device.
      if let file = try? unsafe FileDescriptor.open(zeroTerminated(device), [.pathOnly]) {
        if let place = try? WritablePlaces.place(file) { devices.append(place) }
      }
    }
    for number in 0...2 as ClosedRange<Int32> where isatty(number) == 1 {
      let own = zeroTerminated("/proc/self/fd/\(number)")
      if let file = try? unsafe FileDescriptor.open(own, [.pathOnly]) {
        if let place = try? WritablePlaces.place(file) { devices.append(place) }
      }
    }
  }

  private static func place(_ file: consuming FileDescriptor) throws(Errno) -> Place {
    let shared = SharedDescriptor(file)
    let number = shared.descriptor.rawValue
    return Place(
      file: shared, identity: try FilePlace(of: number), path: try pathOfDirectory(number))
  }

  /// Whether one of the directories is /dev/shm or lies in it.
  var haveSharedMemory: Bool {
    directories.contains {
      $0.path == Array("/dev/shm".utf8) || $0.path.starts(with: Array("/dev/shm/".utf8))
    }
  }

  /// Makes one more directory writable.
  mutating func add(_ path: String) throws(Errno) {
    directories.append(
      try WritablePlaces.place(
        unsafe FileDescriptor.open(zeroTerminated(path), [.pathOnly, .directory])))
  }

  /// Allows the changes in Landlock. In directories all but the names of devices.
  func allow(in ruleset: borrowing LandlockRuleset) throws(Errno) {
    for place in devices {
      try? ruleset.allow([.writeFile, .truncate], at: place.file.descriptor)
    }
    for place in directories {
      try ruleset.allow(
        FileRights.allChanges.subtracting(.makeDevices), at: place.file.descriptor)
    }
  }

  // MARK: Judging

  /// Whether `file` may be opened for writing.
  func allowsWriting(_ file: borrowing FileDescriptor) -> Bool {
    guard let place = try? FilePlace(of: file.rawValue) else { return false }
    return devices.contains { $0.identity.isSameFile(as: place) } || contains(file)
  }

  /// Whether `file` (open for its path at least) is one of the directories or lies beneath one.
  func contains(_ file: borrowing FileDescriptor) -> Bool {
    guard let place = try? FilePlace(of: file.rawValue) else { return false }
    if place.isDirectory { return containsDirectory(file.rawValue) }
    guard let parent = directoryOfName(of: file.rawValue, place) else { return false }
    return containsDirectory(parent.rawValue)
  }

  /// The directory in which the file has the name by which it was opened; nil if that cannot be
  /// proved. A file that has no name any more had its last one there.
  private func directoryOfName(of file: Int32, _ place: FilePlace) -> FileDescriptor? {
    guard
      var path = try? unsafe readSymbolicLink(zeroTerminated("/proc/self/fd/\(file)")),
      path.first == UInt8(ascii: "/")
    else { return nil }
    let gone = Array(" (deleted)".utf8)
    let isGone = place.nameCount == 0 && path.suffix(gone.count).elementsEqual(gone)
    if isGone { path.removeLast(gone.count) }
    guard let end = path.lastIndex(of: UInt8(ascii: "/")) else { return nil }
    let (directory, name) = (terminated(path[...end]), terminated(path[(end + 1)...]))
    guard let parent = try? unsafe FileDescriptor.open(directory, [.pathOnly, .directory]) else {
      return nil
    }
    if isGone {
      guard let at = try? FilePlace(of: parent.rawValue), at.mount == place.mount else {
        return nil
      }
      return parent
    }
    guard
      let named = try? unsafe FileDescriptor.open(
        name, in: parent.rawValue, [.pathOnly, .noFollow]),
      let at = try? FilePlace(of: named.rawValue), at.isSameFile(as: place)
    else { return nil }
    return parent
  }

  private func terminated(_ bytes: ArraySlice<UInt8>) -> [CChar] {
    bytes.map { CChar(bitPattern: $0) } + [0]
  }

  /// The walk up ends at the root, or when it is longer than any path.
  private func containsDirectory(_ directory: Int32) -> Bool {
    guard var place = try? FilePlace(of: directory),
      var current = try? unsafe FileDescriptor.open(
        zeroTerminated("."), in: directory, [.pathOnly, .directory])
    else { return false }
    for _ in 0..<2048 {
      if directories.contains(where: { $0.identity.isSameFile(as: place) }) { return true }
      guard
        let above = try? unsafe FileDescriptor.open(
          zeroTerminated(".."), in: current.rawValue, [.pathOnly, .directory]),
        let next = try? FilePlace(of: above.rawValue), next != place
      else { return false }
      current = above
      place = next
    }
    return false
  }
}

/// A file's identity, and through which mount it is seen.
struct FilePlace: Equatable {
  let device: UInt64
  let inode: UInt64
  let mount: UInt64
  let nameCount: UInt32
  let user: UInt32
  let isDirectory: Bool

  init(of descriptor: Int32) throws(Errno) {
    var place = sluice_file_place()
    let result = unsafe sluice_file_place_of(descriptor, &place)
    if result < 0 { throw Errno(-result) }
    device = place.device
    inode = place.inode
    mount = place.mount
    nameCount = place.name_count
    user = place.user
    isDirectory = place.mode & UInt32(S_IFMT) == UInt32(S_IFDIR)
  }

  func isSameFile(as other: FilePlace) -> Bool { device == other.device && inode == other.inode }
}
