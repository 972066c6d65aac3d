// Whether a database is in WAL mode.

internal import SluiceClient

extension RemoteFile {
  /// Bytes 18 and 19 of the database's header are 2 in WAL mode (file format, section 1.3.3). A
  /// transaction in rollback mode changes them, so the file itself has their current value.
  func readsAsWALMode() throws(CallError) -> Bool {
    var versions: UInt16 = 0
    let byteCount = try unsafe withUnsafeMutableBytes(of: &versions) {
      (bytes) throws(CallError) in try unsafe readRarely(into: bytes, at: 18)
    }
    return byteCount == 2 && versions == 0x0202
  }
}
