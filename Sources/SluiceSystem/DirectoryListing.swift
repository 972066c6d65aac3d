// The names in a directory.

internal import CSluice

/// The names in the directory at `path`, without `.` and `..`, in no order.
public func namesInDirectory(_ path: UnsafePointer<CChar>) throws(Errno) -> [[UInt8]] {
  guard let directory = unsafe opendir(path) else { throw Errno(sluice_errno()) }
  return unsafe names(in: directory)
}

extension FileDescriptor {
  /// The names in this directory, without `.` and `..`, in no order.
  public borrowing func namesInDirectory() throws(Errno) -> [[UInt8]] {
    // Reading moves the position, so this needs its own open file description.
    let second = try unsafe FileDescriptor.open(".", in: rawValue, [.directory, .readOnly])
    guard let directory = unsafe fdopendir(second.rawValue) else { throw Errno(sluice_errno()) }
    _ = second.release()
    return unsafe names(in: directory)
  }
}

/// Closes the directory.
private func names(in directory: OpaquePointer) -> [[UInt8]] {
  defer { unsafe closedir(directory) }
  var names: [[UInt8]] = []
  while let name = unsafe sluice_next_name(directory) {
    let bytes = unsafe UnsafeRawBufferPointer(start: name, count: strlen(name))
    let isSelfOrParent = unsafe bytes.elementsEqual([0x2e]) || bytes.elementsEqual([0x2e, 0x2e])
    if !isSelfOrParent { unsafe names.append([UInt8](bytes)) }
  }
  return names
}
