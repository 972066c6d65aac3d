// The operations of a change, as people and programs read them.

/// One operation of a change.
public struct Operation: Sendable, Hashable {
  public enum Key: Sendable, Hashable {
    case property(String)
    /// The beginning of a sequence, before all elements.
    case head
    case element(OperationID)
  }

  public enum Action: Sendable, Hashable {
    case make(ObjectKind)
    case set(ScalarValue)
    case delete
    /// By an integer or unsigned value.
    case increment(ScalarValue)
    case beginMark(name: String, value: ScalarValue, expands: Bool)
    case endMark(expands: Bool)
  }

  public var id: OperationID
  public var object: ObjectID
  public var key: Key
  /// Whether a new element follows the one that the key names.
  public var isInsert: Bool
  public var action: Action
  public var predecessors: [OperationID]
}

extension Change {
  /// What the change does, in order.
  public var operations: [Operation] {
    let actors = contents.actors.compactMap { ActorID($0) }
    func id(_ local: LocalID) -> OperationID {
      OperationID(counter: local.counter, actor: actors[Int(local.actor)])
    }
    return contents.operations.indices.map { index in
      let operation = contents.operations[index]
      let start = Int(operation.referenceStart)
      let predecessors = contents.predecessors[start..<start + Int(operation.referenceCount)]
      let key: Operation.Key =
        if !operation.key.isNone {
          .property(text(operation.key))
        } else if operation.element == .head {
          .head
        } else {
          .element(id(operation.element))
        }
      return Operation(
        id: OperationID(counter: startCounter + UInt32(index), actor: actors[0]),
        object: operation.object == .none ? .root : .made(id(operation.object)),
        key: key, isInsert: operation.isInsert, action: action(operation),
        predecessors: predecessors.map(id))
    }
  }

  private func text(_ range: ByteRange) -> String {
    String(decoding: contents.source[range.range], as: UTF8.self)
  }

  private func action(_ operation: ChangeOperation) -> Operation.Action {
    let value = ScalarValue(
      code: operation.valueCode, contents.source, operation.value.range)
    switch operation.action {
    case Action.delete: return .delete
    case Action.increment: return .increment(value)
    case Action.mark:
      if operation.markName.isNone { return .endMark(expands: operation.expands) }
      return .beginMark(
        name: text(operation.markName), value: value, expands: operation.expands)
    default:
      if let kind = ObjectKind(rawValue: operation.action) { return .make(kind) }
      return .set(value)
    }
  }
}
