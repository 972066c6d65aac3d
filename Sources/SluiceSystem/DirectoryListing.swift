// What is in a directory.

internal import CSluice

/// The names in the directory at `path`, without `.` and `..`, in no order.
public func namesInDirectory(_ path: UnsafePointer<CChar>) throws(Errno) -> [[UInt8]] {
  guard let directory = unsafe opendir(path) else { throw Errno(sluice_errno()) }
  defer { unsafe closedir(directory) }
  var names: [[UInt8]] = []
  while let name = unsafe sluice_next_name(directory) {
    let bytes = unsafe UnsafeRawBufferPointer(start: name, count: strlen(name))
    let isSelfOrParent = unsafe bytes.elementsEqual([0x2e]) || bytes.elementsEqual([0x2e, 0x2e])
    if !isSelfOrParent { unsafe names.append([UInt8](bytes)) }
  }
  return names
}
