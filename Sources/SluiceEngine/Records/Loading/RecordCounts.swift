// What a session counts for `sluice stats`.

struct RecordCounts: Equatable {
  /// Messages that are stored, duplicates included.
  var stored: UInt64 = 0
  /// Loads that gave their value to its end.
  var loads: UInt64 = 0
  /// Messages that loads gave, those of dependencies included.
  var chunks: UInt64 = 0
  /// Values erased.
  var erased: UInt64 = 0
}
