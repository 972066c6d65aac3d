// What a session counts for `sluice stats`.

struct StatementCounts {
  /// Rows given to the client.
  var rows: UInt64 = 0
  /// Executions whose statement was kept compiled.
  var hits: UInt64 = 0
  /// Executions that compiled it.
  var misses: UInt64 = 0
}
