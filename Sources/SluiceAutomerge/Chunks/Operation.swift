// The operations of a change, as people and programs read them.

/// One operation of a change.
public struct Operation: Sendable, Hashable {
  /// What an operation acts on within its object.
  public enum Key: Sendable, Hashable {
    /// The key of a map.
    case property(String)
    /// The beginning of a sequence, before all elements.
    case head
    /// An element of a sequence, by the operation that inserted it.
    case element(OperationID)
  }

  /// What an operation does.
  public enum Action: Sendable, Hashable {
    /// Makes an object, which is named by the operation.
    case make(ObjectKind)
    /// Sets a value.
    case set(ScalarValue)
    /// Removes what the predecessors set.
    case delete
    /// By an integer or unsigned value.
    case increment(ScalarValue)
    /// Begins a mark. If it expands, text inserted at this edge is marked too.
    case beginMark(name: String, value: ScalarValue, expands: Bool)
    /// Ends the mark that the operation before began.
    case endMark(expands: Bool)
  }

  /// The operation's name.
  public var id: OperationID
  /// The object on which it acts.
  public var object: ObjectID
  /// The key or element on which it acts.
  public var key: Key
  /// Whether a new element follows the one that the key names.
  public var isInsert: Bool
  /// What it does.
  public var action: Action
  /// The operations whose values it overwrites, deletes or increments, ascending.
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
