// Accounts among which money only moves. The sum shows if a reader sees part of a transaction.

struct TornTransaction: Error, CustomStringConvertible {
  var sum: String

  var description: String { "the accounts add up to \(sum), not to \(Accounts.total)" }
}

enum Accounts {
  private static let count = 50
  private static let balance = 1000
  static let total = count * balance

  static func create(_ connection: Connection) throws {
    try connection.execute("CREATE TABLE account(id INTEGER PRIMARY KEY, balance INTEGER)")
    try connection.execute(
      """
      WITH RECURSIVE number(n) AS (VALUES(1) UNION ALL SELECT n + 1 FROM number WHERE n < \(count))
      INSERT INTO account SELECT n, \(balance) FROM number
      """)
  }

  /// Moves some money, in the transaction under way.
  static func move(_ connection: Connection, using random: inout Random) throws {
    let amount = Int.random(in: 1...100, using: &random)
    for (sign, id) in [("-", from(&random)), ("+", from(&random))] {
      try connection.execute(
        "UPDATE account SET balance = balance \(sign) \(amount) WHERE id = \(id)")
    }
  }

  static func check(_ connection: Connection) throws {
    let sum = try connection.rows("SELECT sum(balance) FROM account")[0][0]
    guard sum == String(total) else { throw TornTransaction(sum: sum) }
  }

  private static func from(_ random: inout Random) -> Int {
    Int.random(in: 1...count, using: &random)
  }
}
