// What a statement gives: rows, and what it changed.

/// A row. Its values are by position; two columns may have one name.
public struct SQLRow: Hashable, Sendable {
  public let columns: [String]
  public let values: [SQLValue]

  public init(columns: [String], values: [SQLValue]) {
    self.columns = columns
    self.values = values
  }

  public subscript(_ index: Int) -> SQLValue { values[index] }

  /// The value of the first column with this name; nil if there is none.
  public subscript(_ name: String) -> SQLValue? {
    columns.firstIndex(of: name).map { values[$0] }
  }

  /// Reads the row as a value whose coding keys are column names. Columns that it does not name are
  /// passed over. Throws `DecodingError` where a column is missing or has another type.
  public func decoded<T: Decodable>(as type: T.Type = T.self) throws -> T {
    try T(from: RowDecoder(row: self))
  }
}

public struct SQLResult: Equatable, Sendable {
  public var columns: [String] = []
  public var rows: [SQLRow] = []
  /// How many rows were inserted, changed or deleted; 0 for a statement that only reads.
  public var changes: Int64 = 0
  /// The row id that this connection inserted last.
  public var lastInsertedRowID: Int64 = 0
  /// Whether a transaction is open after it.
  public var isInTransaction = false

  public init() {}
}

/// One statement of a batch.
public struct SQLStep: Equatable, Sendable {
  public var sql: String
  public var parameters: [SQLValue]

  public init(_ sql: String, _ parameters: [SQLValue] = []) {
    self.sql = sql
    self.parameters = parameters
  }
}
