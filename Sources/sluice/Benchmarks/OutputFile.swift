// A file that a benchmark writes at its end.

internal import SluiceSystem

struct OutputFile {
  private let path: String

  /// Makes the file, empty: that it cannot be made is said before minutes of measuring.
  init(_ path: String) throws(BenchmarkError) {
    self.path = path
    try write("")
  }

  func write(_ text: String) throws(BenchmarkError) {
    do throws(Errno) {
      let file = try unsafe FileDescriptor.open(
        zeroTerminated(path), [.readWrite, .create], permissions: 0o666)
      try unsafe Array(text.utf8).withUnsafeBufferPointer { (bytes) throws(Errno) in
        try unsafe file.write(UnsafeRawBufferPointer(bytes), at: 0)
      }
      try file.truncate(toByteCount: Int64(text.utf8.count))
    } catch {
      throw .system(path, error)
    }
  }
}
