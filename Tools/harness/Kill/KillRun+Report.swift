// The results of a kill run, for people and as JSON.

internal import SluiceCommand

extension KillRun.Outcome {
  private static let phaseNames = ["between calls", "BEGIN", "statements", "COMMIT"]

  var text: String {
    let seconds = Double(nanoseconds) / 1e9
    var lines = [
      "under SQLite: \(grouped(UInt64(count))) kills in \(seconds.short) s, "
        + "\(grouped(transactions)) acknowledged transactions, none lost; both databases whole "
        + "after each",
      "  killed in      "
        + KillRun.Outcome.phaseNames.map { $0.leftPadded(to: 15) }.joined(),
    ]
    for victim in KillRun.Victim.allCases {
      for store in KillStore.allCases {
        let counts = kills[victim.rawValue][store.rawValue]
        lines.append(
          "  " + "\(victim), \(store.name)".padded(to: 15)
            + counts.map { grouped(UInt64($0)).leftPadded(to: 15) }.joined())
      }
    }
    lines += [
      "  \(grouped(UInt64(count(.client)))) clients (\(grouped(UInt64(nativeKills))) of them stock "
        + "SQLite), \(grouped(UInt64(count(.sidecar)))) sidecars; stock SQLite rolled back "
        + "\(grouped(UInt64(hotJournals))) hot journals",
      "  stock SQLite got its lock each time: without waiting when all were dead or idle; while the "
        + "sidecar lived, within "
        + durationText(nanoseconds: Double(lockWaits.nanosecondsMaximum)),
    ]
    for victim in KillRun.Victim.allCases {
      let times = recoveries[victim.rawValue]
      lines.append(
        "  from a \(victim)'s death until all had done a transaction: p50 "
          + durationText(nanoseconds: Double(times.percentile(0.5))) + ", p99 "
          + durationText(nanoseconds: Double(times.percentile(0.99))) + ", at most "
          + durationText(nanoseconds: Double(times.nanosecondsMaximum)))
    }
    lines.append(
      "  longest call \(durationText(nanoseconds: Double(longestCall))), \(slowCalls) over 1 s; "
        + "the machine ended sleeps up to \(durationText(nanoseconds: Double(lateness))) late, "
        + "and took up to \(durationText(nanoseconds: Double(slowestDeath))) to end a process"
    )
    return lines.joined(separator: "\n")
  }

  var json: JSON {
    var members: [(String, JSON)] = [
      ("kills", .integer(Int64(count))), ("client_kills", .integer(Int64(count(.client)))),
      ("sidecar_kills", .integer(Int64(count(.sidecar)))),
      ("native_kills", .integer(Int64(nativeKills))),
    ]
    for victim in KillRun.Victim.allCases {
      for store in KillStore.allCases {
        members.append(
          (
            "\(victim)_kills_\(store)",
            .array(kills[victim.rawValue][store.rawValue].map { .integer(Int64($0)) })
          ))
      }
    }
    members += [
      ("checks", .integer(Int64(checks))), ("hot_journals", .integer(Int64(hotJournals))),
      ("transactions", .integer(Int64(transactions))),
      ("disconnections", .integer(Int64(disconnections))),
      ("lock_wait_max_ns", .integer(lockWaits.nanosecondsMaximum)),
    ]
    for victim in KillRun.Victim.allCases {
      let times = recoveries[victim.rawValue]
      members += [
        ("\(victim)_recovery_p50_ns", .integer(times.percentile(0.5))),
        ("\(victim)_recovery_p99_ns", .integer(times.percentile(0.99))),
        ("\(victim)_recovery_max_ns", .integer(times.nanosecondsMaximum)),
      ]
    }
    members += [
      ("longest_call_ns", .integer(Int64(longestCall))),
      ("calls_over_1_s", .integer(Int64(slowCalls))), ("sleep_late_max_ns", .integer(lateness)),
      ("process_end_max_ns", .integer(slowestDeath)),
      ("seconds", .number(Double(nanoseconds) / 1e9)),
    ]
    return .object(members)
  }
}
