// The results of a kill run: how often each victim was hit, in which phase, and how long the others
// took to go on. The results of several runs are added: counts are summed, and of extremes the
// worst one stays.

extension KillRun {
  struct Outcome {
    /// By victim, store and phase of the transaction that was hit.
    var kills = Array(
      repeating: Array(repeating: Array(repeating: 0, count: 4), count: KillStore.allCases.count),
      count: Victim.allCases.count)
    /// Of stock SQLite clients, which use the databases beside the sidecar.
    var nativeKills = 0
    /// How often stock SQLite found a journal to roll back.
    var hotJournals = 0
    var checks = 0
    var transactions: UInt64 = 0
    var disconnections: UInt64 = 0
    /// By victim: from the kill until every client had done a transaction that it began after the
    /// kill.
    var recoveries = [LatencyHistogram(), LatencyHistogram()]
    /// How long stock SQLite waited for its lock while the sidecar lived.
    var lockWaits = LatencyHistogram()
    var longestCall: UInt64 = 0
    var slowCalls: UInt64 = 0
    /// The longest delay of the machine at the end of a sleep. No program can avoid it.
    var lateness: Int64 = 0
    /// The longest time that the kernel took to end a killed process.
    var slowestDeath: Int64 = 0
    var nanoseconds: Int64 = 0

    mutating func add(_ other: Outcome) {
      for victim in kills.indices {
        for store in kills[victim].indices {
          for phase in kills[victim][store].indices {
            kills[victim][store][phase] += other.kills[victim][store][phase]
          }
        }
        recoveries[victim].add(other.recoveries[victim])
      }
      nativeKills += other.nativeKills
      hotJournals += other.hotJournals
      checks += other.checks
      transactions += other.transactions
      disconnections += other.disconnections
      lockWaits.add(other.lockWaits)
      longestCall = max(longestCall, other.longestCall)
      slowCalls += other.slowCalls
      lateness = max(lateness, other.lateness)
      slowestDeath = max(slowestDeath, other.slowestDeath)
      nanoseconds = max(nanoseconds, other.nanoseconds)
    }

    func count(_ victim: Victim) -> Int { kills[victim.rawValue].joined().reduce(0, +) }
    var count: Int { Victim.allCases.reduce(0) { $0 + count($1) } }
  }
}
