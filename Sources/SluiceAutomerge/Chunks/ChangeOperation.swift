// An operation as a chunk names it: by the actor table of the chunk.

/// The id of an operation whose actor is an index into some table.
struct LocalID: Hashable {
  var actor: UInt32
  var counter: UInt32

  /// No id: the root object.
  static let none = LocalID(actor: .max, counter: .max)
  /// The head of a list, before all elements.
  static let head = LocalID(actor: .max, counter: 0)
}

/// The actions. Even ones make objects.
enum Action {
  static let makeMap: UInt8 = 0
  static let set: UInt8 = 1
  static let makeList: UInt8 = 2
  static let delete: UInt8 = 3
  static let makeText: UInt8 = 4
  static let increment: UInt8 = 5
  static let makeTable: UInt8 = 6
  static let mark: UInt8 = 7

  static func makesObject(_ action: UInt8) -> Bool { action & 1 == 0 }
}

/// One row of the operation columns. Ranges point into the bytes from which it was decoded.
struct ChangeOperation {
  var object = LocalID.none
  /// The element, if the key is one.
  var element = LocalID.none
  /// The key, if it is a text.
  var key = ByteRange.none
  var markName = ByteRange.none
  var value = ByteRange(start: 0, count: 0)
  /// A range of the list of references: predecessors in a change, successors in a document.
  var referenceStart: UInt32 = 0
  var referenceCount: UInt32 = 0
  var valueCode = ValueCode.null
  var action = Action.set
  var isInsert = false
  var expands = false

  /// Refuses what no writer means, and what a document cannot keep.
  func check() throws(AutomergeError.Reason) {
    switch action {
    case Action.set: break
    case Action.increment:
      guard valueCode == ValueCode.signed || valueCode == ValueCode.unsigned else {
        throw .badIncrement
      }
    case Action.mark:
      guard isInsert else { throw .badMark }
      if markName.isNone, valueCode != ValueCode.null { throw .badMark }
    default:
      if valueCode != ValueCode.null { throw .strayValue }
    }
    if action != Action.mark, expands || !markName.isNone { throw .badMark }
    if isInsert {
      guard key.isNone, action != Action.delete, action != Action.increment else {
        throw .badInsertion
      }
    } else if element == .head {
      throw .badKey
    }
  }
}
