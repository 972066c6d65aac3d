// What a storage tells its program beside results.

public enum RecordLogLevel: Sendable {
  /// Something could not be done that the program asked for.
  case error
  case warning
}

/// Called from the storage's thread.
public typealias RecordLog = @Sendable (RecordLogLevel, String) -> Void
