// Protocol/SPEC.md or another such text as a test reads it: the tables, by the heading above them.

import Foundation

public struct SpecDocument: Sendable {
  /// A table's row by column title. Cells are bare: no backticks, no blanks around.
  public typealias Row = [String: String]

  private let lines: [String]

  public init(_ path: String = "Protocol/SPEC.md") throws {
    let text = try String(contentsOf: repositoryFile(path), encoding: .utf8)
    lines = text.components(separatedBy: "\n")
  }

  /// The first table under that heading.
  public func rows(under heading: String) throws -> [Row] {
    guard let start = lines.firstIndex(of: "### " + heading) else {
      throw NoSuchTable(heading: heading)
    }
    let table = lines[(start + 1)...].drop { !$0.hasPrefix("|") && !$0.hasPrefix("#") }
      .prefix { $0.hasPrefix("|") }.map(cells)
    guard table.count > 2 else { throw NoSuchTable(heading: heading) }
    return table.dropFirst(2).map { row in
      precondition(row.count == table[0].count, "a row of \(heading) has another width")
      return Row(uniqueKeysWithValues: zip(table[0], row))
    }
  }

  private func cells(_ line: String) -> [String] {
    line.split(separator: "|", omittingEmptySubsequences: false).dropFirst().dropLast().map {
      $0.replacing("`", with: "").trimmingCharacters(in: .whitespaces)
    }
  }
}

public struct NoSuchTable: Error {
  public var heading: String
}

/// A number as the tables write it: decimal or 0x….
public func number(_ text: String?) -> UInt64? {
  guard let text else { return nil }
  return text.hasPrefix("0x") ? UInt64(text.dropFirst(2), radix: 16) : UInt64(text)
}
