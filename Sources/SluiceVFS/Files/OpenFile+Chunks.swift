// The size of a file, in whole chunks if SQLite wants chunks.

internal import SluiceClient

extension OpenFile {
  /// SQLite is about to grow the file to this size. Reserves whole chunks if there is a chunk size.
  func hint(byteCount: Int64) throws(CallError) {
    guard chunkByteCount > 0 else { return }
    let rounded = roundedToChunk(byteCount)
    try sizeLimit.allow(rounded)
    try remote.allocate(byteCount: rounded)
  }

  /// Cuts the file; to whole chunks if there is a chunk size.
  func truncate(toByteCount byteCount: Int64) throws(CallError) {
    let rounded = roundedToChunk(byteCount)
    try sizeLimit.allow(rounded)
    try remote.truncate(toByteCount: rounded)
  }

  private func roundedToChunk(_ byteCount: Int64) -> Int64 {
    guard chunkByteCount > 0 else { return byteCount }
    return (byteCount + chunkByteCount - 1) / chunkByteCount * chunkByteCount
  }
}
