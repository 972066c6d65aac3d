// Values and SQL as C gives them.

internal import CSluiceSQL
internal import CSluice
internal import SluiceLibrary
internal import SluiceSQL

/// The values of a call, which were checked.
@safe
struct Values: SQLParameterSource {
  private let start: UnsafePointer<sluice_value>?
  let parameterCount: Int

  /// None.
  init() {
    unsafe start = nil
    parameterCount = 0
  }

  init(_ start: UnsafePointer<sluice_value>?, count: Int) throws(CallFailure) {
    guard unsafe count == 0 || (count > 0 && start != nil) else {
      throw .own(SLUICE_MISUSE, "the values are NULL, and their count is not 0")
    }
    unsafe self.start = unsafe start
    parameterCount = count
    for index in 0..<count {
      let value = unsafe start![index]
      switch unsafe value.type {
      case SLUICE_INTEGER, SLUICE_REAL, SLUICE_NULL: break
      case SLUICE_TEXT, SLUICE_BLOB:
        guard unsafe value.length <= UInt64(Int32.max) else { throw .sql(.tooLarge) }
        guard unsafe value.length == 0 || value.bytes != nil else {
          throw .own(SLUICE_MISUSE, "a text or blob is NULL, and its length is not 0")
        }
      default:
        throw .own(
          SLUICE_MISUSE, "a value's type is none of SLUICE_INTEGER, REAL, TEXT, BLOB and NULL")
      }
    }
  }

  @inline(__always)
  func withParameter<R>(_ index: Int, _ body: (SQLParameter) -> R) -> R {
    let value = unsafe start![index]
    switch unsafe value.type {
    case SLUICE_INTEGER: return unsafe body(.integer(value.integer))
    case SLUICE_REAL: return unsafe body(.real(value.real))
    case SLUICE_TEXT: return unsafe body(.text(place(value)))
    case SLUICE_BLOB: return unsafe body(.blob(place(value)))
    default: return body(.null)
    }
  }

  @inline(__always)
  private func place(_ value: sluice_value) -> UnsafeRawBufferPointer {
    unsafe UnsafeRawBufferPointer(start: value.bytes, count: Int(value.length))
  }
}

/// The SQL of a call; `length` -1 if a zero ends it.
@inline(__always)
func text(
  _ sql: UnsafePointer<CChar>?, length: Int
) throws(CallFailure) -> UnsafeRawBufferPointer {
  guard let sql = unsafe sql else { throw .own(SLUICE_MISUSE, "the SQL is NULL") }
  guard length >= -1 else { throw .own(SLUICE_MISUSE, "the length of the SQL is below -1") }
  return unsafe UnsafeRawBufferPointer(start: sql, count: length == -1 ? strlen(sql) : length)
}

/// Does something that fails as SluiceSQL does.
@inline(__always)
func sql<R>(_ body: () throws(SQLFailure) -> R) throws(CallFailure) -> R {
  do throws(SQLFailure) { return try body() } catch { throw .sql(error) }
}
