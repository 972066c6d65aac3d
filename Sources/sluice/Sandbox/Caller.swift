// The process behind a held call, as /proc shows it. All of it may be another process's as long as
// the supervisor has not found, afterwards, that the call is still held.

internal import CSluice
internal import SluiceCommand
internal import SluiceSystem

/// What decides which files a process may change, besides Landlock.
struct CallerRights: Equatable {
  private let users: String
  private let groups: String
  private let moreGroups: String
  private let label: [UInt8]
  private let userNamespace: FilePlace
  private let root: FilePlace
  private let capabilities: UInt64

  /// Nil if /proc does not show them.
  init?(process: String) {
    guard let status = ProcessStatus(process: process),
      let users = status["Uid"], let groups = status["Gid"], let moreGroups = status["Groups"],
      let capabilities = status["CapEff"].flatMap({ UInt64($0, radix: 16) }),
      let userNamespace = CallerRights.place("/proc/\(process)/ns/user"),
      let root = CallerRights.place("/proc/\(process)/root")
    else { return nil }
    self.users = users
    self.groups = groups
    self.moreGroups = moreGroups
    self.capabilities = capabilities
    self.userNamespace = userNamespace
    self.root = root
    label = smallFile("/proc/\(process)/attr/current") ?? []
  }

  private static func place(_ path: String) -> FilePlace? {
    guard let file = try? unsafe FileDescriptor.open(zeroTerminated(path), [.pathOnly]) else {
      return nil
    }
    return try? FilePlace(of: file.rawValue)
  }

  /// Whether a process with these rights may do nothing that one with the rights `other` may not.
  func areWithin(_ other: CallerRights) -> Bool {
    users == other.users && groups == other.groups && moreGroups == other.moreGroups
      && label == other.label && userNamespace.isSameFile(as: other.userNamespace)
      && root.isSameFile(as: other.root) && capabilities & ~other.capabilities == 0
  }
}

/// /proc/PROCESS/status: its lines by their names.
struct ProcessStatus {
  private let lines: [ArraySlice<UInt8>]

  init?(process: String) {
    guard let bytes = smallFile("/proc/\(process)/status") else { return nil }
    lines = bytes.split(separator: UInt8(ascii: "\n"))
  }

  subscript(name: StaticString) -> String? {
    let count = name.utf8CodeUnitCount
    guard
      let line = lines.first(where: { line in
        unsafe line.starts(with: UnsafeBufferPointer(start: name.utf8Start, count: count))
          && line.dropFirst(count).first == UInt8(ascii: ":")
      })
    else { return nil }
    return String(decoding: line.dropFirst(count + 2), as: UTF8.self)
  }
}

/// The content of a file that is smaller than a page; nil if it cannot be read whole.
private func smallFile(_ path: String) -> [UInt8]? {
  guard let file = try? unsafe FileDescriptor.open(zeroTerminated(path), .readOnly) else {
    return nil
  }
  let capacity = 4096
  let bytes = unsafe [UInt8](unsafeUninitializedCapacity: capacity) { room, count in
    count = (try? unsafe file.read(into: UnsafeMutableRawBufferPointer(room), at: 0)) ?? capacity
  }
  return bytes.count < capacity ? bytes : nil
}

/// A thread that waits for the answer to a call.
struct Caller {
  let thread: Int32

  /// Its process and that process's name, for people.
  var identity: (process: String, name: String) {
    let process = ProcessStatus(process: "\(thread)")?["Tgid"] ?? "\(thread)"
    return (process, ProcessStatus(process: process)?["Name"] ?? "a program")
  }

  /// Copies a path out of the caller's memory, zero-terminated.
  func text(at address: UInt64) throws(Errno) -> [CChar] {
    var text = [CChar](repeating: 0, count: Int(PATH_MAX))
    let length = unsafe sluice_read_text(thread, address, &text, UInt64(text.count))
    if length < 0 { throw Errno(-length) }
    return Array(text[...Int(length)])
  }

  /// What the caller's descriptor (or AT_FDCWD) refers to, open for its path only.
  func file(_ descriptor: Int32) throws(Errno) -> FileDescriptor {
    let place = descriptor == AT_FDCWD ? "cwd" : "fd/\(descriptor)"
    do throws(Errno) {
      return try unsafe FileDescriptor.open(
        zeroTerminated("/proc/\(thread)/\(place)"), [.pathOnly])
    } catch .noEntry {
      throw .badDescriptor
    }
  }

  /// The file to which `path` leads from the caller's descriptor. The supervisor has the root of a
  /// caller whose rights it has compared.
  func file(_ descriptor: Int32, _ path: [CChar], follows: Bool) throws(Errno) -> FileDescriptor {
    let flags: OpenFlags = follows ? .pathOnly : [.pathOnly, .noFollow]
    if path.first == CChar(bitPattern: UInt8(ascii: "/")) {
      return try unsafe FileDescriptor.open(ownNames(path), flags)
    }
    let directory = try file(descriptor)
    return try unsafe FileDescriptor.open(path, in: directory.rawValue, flags)
  }

  /// In this process /proc/self is another one.
  private func ownNames(_ path: [CChar]) -> [CChar] {
    let names = [
      ("/proc/self/", "/proc/\(thread)/"), ("/proc/thread-self/", "/proc/\(thread)/"),
      ("/dev/fd/", "/proc/\(thread)/fd/"),
    ]
    for (name, own) in names {
      let bytes = zeroTerminated(name).dropLast()
      if path.starts(with: bytes) {
        return zeroTerminated(own).dropLast() + path.dropFirst(bytes.count)
      }
    }
    return path
  }
}
