// How long a turn lasts, and for how long the line keeps a lock or a place.

enum LinePatience {
  /// A turn lasts so long, and for so many transactions, but never longer than the maximum.
  static let turnNanoseconds: Int64 = 600_000
  static let grantsMinimum = 4
  /// For so long nobody takes the right to write from the holder with which it stands, though
  /// nobody waits.
  static let standingSliceNanoseconds: Int64 = 250_000
  static let turnNanosecondsMaximum: Int64 = 10_000_000
  /// For how long the lock is kept for a holder that gave it back before its turn was over.
  static let comebackNanoseconds: Int64 = 100_000
  /// For how long at the most nobody is called after a turn. The holder of the turn will soon stand
  /// in line, and sleep. If the next were woken before that, there would be a thread more than
  /// processors, and it might run on the sidecar's, where each request takes two switches (seen
  /// with perf sched on two processors). The gain is not beyond doubt: three runs of eight writers
  /// in WAL mode gave 43,000 to 50,000 transactions a second instead of 41,000 to 42,000, later
  /// ones 40,000 to 45,000.
  static let lingerNanoseconds: Int64 = 50_000
  /// For how long it is kept for the one that was called.
  static let graceNanoseconds: Int64 = 5_000_000
  /// For how long a place is kept for a handle that was refused: longer than SQLite's longest
  /// sleep.
  static let placeNanoseconds: Int64 = 250_000_000
  /// For so long at the most nobody is called while a client copies a WAL of more frames than
  /// `frameCountMaximum`: four times as many as those with which SQLite's own checkpoints begin.
  static let pauseNanoseconds: Int64 = 100_000_000
  static let frameCountMaximum: UInt32 = 4000
  /// The same where writers share syncs: as many as those with which SQLite's own checkpoints begin.
  /// If readers kept that checkpoint from copying all, there is the next pause after as many more.
  static let sharedFrameCountMaximum: UInt32 = 1000
  /// So often, and for so long, nobody is called while programs outside may wait: they see only
  /// what they find when they look.
  static let gapIntervalNanoseconds: Int64 = 10_000_000
  static let gapNanoseconds: Int64 = 2_000_000
}
