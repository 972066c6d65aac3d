// What the sidecar has to say, one line each on standard error.

internal import CSluice

enum Log {
  /// Something that an operator should know: a session that broke the protocol, say.
  static func warning(_ text: String) { write("sluice: \(text)\n") }

  private static func write(_ line: String) {
    var line = line
    line.withUTF8 { bytes in
      // Nobody may be listening any more; that is no reason to stop.
      _ = unsafe CSluice.write(2, bytes.baseAddress, bytes.count)
    }
  }
}
