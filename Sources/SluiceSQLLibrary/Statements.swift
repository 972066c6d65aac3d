// The functions of sluice.h on statements and batches.
//
// The compiler compares each with the header, so its name is the header's.
// swift-format-ignore-file: AlwaysUseLowerCamelCase

public import CSluiceSQL
internal import CSluice
internal import SluiceLibrary
internal import SluiceSQL

@c @implementation
public func sluice_execute(
  _ connection: OpaquePointer?, _ sql: UnsafePointer<CChar>?, _ sqlLength: Int,
  _ values: UnsafePointer<sluice_value>?, _ valueCount: Int, _ deadlineMilliseconds: UInt32,
  _ result: UnsafeMutablePointer<OpaquePointer?>?
) -> Int32 {
  unsafe execute(
    connection, sql, sqlLength, values, valueCount, deadlineMilliseconds, tail: nil, result)
}

@c @implementation
public func sluice_execute_first(
  _ connection: OpaquePointer?, _ sql: UnsafePointer<CChar>?, _ sqlLength: Int,
  _ values: UnsafePointer<sluice_value>?, _ valueCount: Int, _ deadlineMilliseconds: UInt32,
  _ tail: UnsafeMutablePointer<Int>?, _ result: UnsafeMutablePointer<OpaquePointer?>?
) -> Int32 {
  var place = 0
  let code = unsafe execute(
    connection, sql, sqlLength, values, valueCount, deadlineMilliseconds, tail: &place, result)
  unsafe tail?.pointee = place
  return code
}

@inline(never)
private func execute(
  _ handle: OpaquePointer?, _ sqlStart: UnsafePointer<CChar>?, _ sqlLength: Int,
  _ values: UnsafePointer<sluice_value>?, _ valueCount: Int, _ deadlineMilliseconds: UInt32,
  tail: UnsafeMutablePointer<Int>?, _ result: UnsafeMutablePointer<OpaquePointer?>?
) -> Int32 {
  unsafe result?.pointee = nil
  guard let client = unsafe Handle.client(handle) else { return SLUICE_MISUSE }
  return client.call { (connection) throws(CallFailure) in
    let text = try unsafe text(sqlStart, length: sqlLength)
    let values = try unsafe Values(values, count: valueCount)
    let options: SQLExecutionOptions = unsafe tail == nil ? [] : .firstOnly
    // Rows that nobody reads are not made.
    let rows = unsafe result == nil ? nil : client.rows()
    let execution = try sql { () throws(SQLFailure) in
      guard let rows else {
        return try unsafe connection.run(
          text, values, options, deadlineMilliseconds: deadlineMilliseconds)
      }
      return try unsafe connection.execute(
        text, values, options, deadlineMilliseconds: deadlineMilliseconds
      ) { rows.take($0) }
    }
    client.changes = execution.changes
    client.lastInsertedRowID = execution.lastInsertedRowID
    unsafe tail?.pointee = execution.tail
    if let rows {
      rows.begin(execution)
      unsafe result?.pointee = Handle.make(rows)
    }
    return SLUICE_OK
  }
}

// MARK: Batches

@c @implementation
public func sluice_batch(
  _ connection: OpaquePointer?, _ steps: UnsafePointer<sluice_batch_step>?, _ count: Int,
  _ isAtomic: Int32, _ deadlineMilliseconds: UInt32, _ changes: UnsafeMutablePointer<Int64>?,
  _ failed: UnsafeMutablePointer<Int>?
) -> Int32 {
  guard let client = unsafe Handle.client(connection) else { return SLUICE_MISUSE }
  return client.call { (connection) throws(CallFailure) in
    guard unsafe count == 0 || (count > 0 && steps != nil) else {
      throw .own(SLUICE_MISUSE, "the steps are NULL, and their count is not 0")
    }
    let batch = unsafe Steps(steps, count: count)
    // Nothing is done if one of them makes no sense.
    for index in 0..<count {
      do throws(CallFailure) { _ = try unsafe batch.step(index) } catch {
        unsafe failed?.pointee = index
        throw error
      }
    }
    do throws(SQLBatchFailure) {
      try connection.batch(
        batch, isAtomic: isAtomic != 0, deadlineMilliseconds: deadlineMilliseconds
      ) { (index, result) in
        unsafe changes?[index] = result.changes
        client.changes = result.changes
        client.lastInsertedRowID = result.lastInsertedRowID
        result.cursor?.close()
      }
    } catch {
      unsafe failed?.pointee = error.stepIndex
      throw .sql(error.failure)
    }
    return SLUICE_OK
  }
}

/// The steps of a batch, which were checked once.
@safe
private struct Steps: SQLBatchSteps {
  private let start: UnsafePointer<sluice_batch_step>?
  let stepCount: Int
  let none = Values()

  init(_ start: UnsafePointer<sluice_batch_step>?, count: Int) {
    unsafe self.start = unsafe start
    stepCount = count
  }

  func step(_ index: Int) throws(CallFailure) -> (UnsafeRawBufferPointer, Values) {
    let step = unsafe start![index]
    return try unsafe (
      text(step.sql, length: step.sql_length), Values(step.values, count: step.value_count)
    )
  }

  func withStep<R, E: Error>(
    _ index: Int, _ body: (UnsafeRawBufferPointer, Values) throws(E) -> R
  ) throws(E) -> R {
    guard let (sql, values) = unsafe try? step(index) else {
      preconditionFailure("a step that was checked")
    }
    return try unsafe body(sql, values)
  }
}
