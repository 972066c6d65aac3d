// A second description of a file that is open.

internal import SluiceSystem
internal import SluiceWire

/// Opens an open file another time, as a description of its own: through its link in /proc,
/// whatever its name is now. Where /proc is not mounted it is opened by the name under which it was
/// found, and only if that is still the same file: else `stale`.
///
/// That open by name may meet another file, put there meanwhile, on which we have a lease. Then it
/// begins to break that lease. We lose the lease, and nothing else happens: the open waits for
/// nothing and follows no link.
func openAnew(
  _ file: borrowing FileDescriptor, at location: borrowing Location, _ flags: OpenFlags
) throws(Errno) -> FileDescriptor {
  let number = file.rawValue
  do throws(Errno) {
    return try unsafe withDescriptorPath(number) { (path) throws(Errno) in
      try unsafe FileDescriptor.open(path, flags)
    }
  } catch .noEntry {
    let second: FileDescriptor
    do throws(Errno) {
      second = try unsafe FileDescriptor.open(
        location.name, in: location.directory.descriptor.rawValue,
        flags.union([.noFollow, .nonBlocking]))
    } catch .noEntry {
      throw .stale
    }
    guard FileIdentity(try second.status()) == FileIdentity(try file.status()) else { throw .stale }
    return second
  }
}
