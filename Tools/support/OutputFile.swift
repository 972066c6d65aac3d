// A file that a tool writes at the end of its run.

internal import SluiceCommand
internal import SluiceSystem

package struct OutputFile {
  private let path: String

  /// Makes the file, empty. A file that cannot be made is thus reported before the run, not after.
  package init(_ path: String) throws(ToolError) {
    self.path = path
    try write("")
  }

  package func write(_ text: String) throws(ToolError) {
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
