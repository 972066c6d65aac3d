// The arguments of any request that has some, as one type: code that is generic over messages is
// compiled for each, and these are sent too rarely for that.

internal import SluiceWire

enum SQLArguments: Message {
  case none
  case open(SQLOpenRequest)
  case valueRead(SQLValueReadRequest)
  case valueWrite(SQLValueWriteRequest)
  case export(OffsetFields)
  case changes(SQLChangesRequest)

  init() { self = .none }

  mutating func code<Coder: FieldCoder>(_ coder: inout Coder) throws(WireError) {
    switch self {
    case .none: break
    case .open(var fields): try fields.code(&coder)
    case .valueRead(var fields): try fields.code(&coder)
    case .valueWrite(var fields): try fields.code(&coder)
    case .export(var fields): try fields.code(&coder)
    case .changes(var fields): try fields.code(&coder)
    }
  }
}
