// The results of the table of deaths, for people and as JSON.

internal import SluiceCommand

extension DeathRun.Outcome {
  var text: String {
    let width = 20
    let phases = DeathPhase.allCases
    var lines = [
      "the table: \(kills[.client] ?? 0) clients and \(kills[.sidecar] ?? 0) sidecars killed in "
        + "\((Double(nanoseconds) / 1e9).short) s, no difference; locks free and files closed after "
        + "each"
    ]
    for victim in DeathRun.Victim.allCases {
      lines.append(
        "  " + "\(victim) killed".padded(to: width)
          + phases.dropLast().map { $0.rawValue.padded(to: 18) }.joined()
          + DeathPhase.answered.rawValue)
      for kind in DeathCase.allCases {
        let texts = phases.map { phase in
          (self.cells[victim]?[kind]?[phase]).map { DeathRun.Outcome.text($0) } ?? ""
        }
        lines.append(
          "  " + kind.rawValue.padded(to: width)
            + texts.dropLast().map { $0.padded(to: 18) }.joined() + (texts.last ?? ""))
      }
    }
    lines.append(
      "  a call whose sidecar died got its error after p50 "
        + durationText(nanoseconds: Double(errors.percentile(0.5))) + ", at most "
        + durationText(nanoseconds: Double(errors.nanosecondsMaximum)) + "; \(slowErrors) over 1 s")
    return lines.joined(separator: "\n")
  }

  /// The expected effect, and where several are right, how often each was found.
  private static func text(_ cell: DeathRun.Cell) -> String {
    let found = cell.found.sorted { $0.key.rawValue < $1.key.rawValue }
    switch cell.expected {
    case .never: return cell.expected.rawValue
    case .either, .some:
      return found.map { "\($0.key.rawValue) \($0.value)" }.joined(separator: ", ")
    default: return "\(cell.expected.rawValue) \(found.first?.value ?? 0)"
    }
  }

  var json: JSON {
    var members: [(String, JSON)] = [
      ("client_kills", .integer(Int64(kills[.client] ?? 0))),
      ("sidecar_kills", .integer(Int64(kills[.sidecar] ?? 0))),
      ("error_p50_ns", .integer(errors.percentile(0.5))),
      ("error_max_ns", .integer(errors.nanosecondsMaximum)),
      ("errors_over_1_s", .integer(Int64(slowErrors))),
      ("seconds", .number(Double(nanoseconds) / 1e9)),
    ]
    for victim in DeathRun.Victim.allCases {
      let rows = DeathCase.allCases.map { kind -> (String, JSON) in
        let row = DeathPhase.allCases.compactMap { phase -> (String, JSON)? in
          guard let cell = cells[victim]?[kind]?[phase], cell.expected != .never else { return nil }
          let found = cell.found.sorted { $0.key.rawValue < $1.key.rawValue }
          return (
            phase.rawValue,
            .object(
              [("expected", .text("\(cell.expected)"))]
                + found.map { ("\($0.key)", .integer(Int64($0.value))) })
          )
        }
        return (kind.rawValue, .object(row))
      }
      members.append((victim.rawValue, .object(rows)))
    }
    return .object(members)
  }
}
