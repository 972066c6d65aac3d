// Writes the operation columns of a change or a document. It keeps its memory between uses, because
// loading a document encodes each of its changes again.

struct OperationWriter {
  private var objectActor = RunWriter<UInt64>()
  private var objectCounter = RunWriter<UInt64>()
  private var keyActor = RunWriter<UInt64>()
  private var keyCounter = DeltaWriter()
  private var keyText = RunWriter<ByteRange>()
  private var idActor = RunWriter<UInt64>()
  private var idCounter = DeltaWriter()
  private var insert = BooleanWriter()
  private var action = RunWriter<UInt64>()
  private var valueMetadata = RunWriter<UInt64>()
  private var value: [UInt8] = []
  private var referenceGroup = RunWriter<UInt64>()
  private var referenceActor = RunWriter<UInt64>()
  private var referenceCounter = DeltaWriter()
  private var expand = BooleanWriter()
  private var markName = RunWriter<ByteRange>()

  mutating func reset() {
    objectActor.reset()
    objectCounter.reset()
    keyActor.reset()
    keyCounter.reset()
    keyText.reset()
    idActor.reset()
    idCounter.reset()
    insert.reset()
    action.reset()
    valueMetadata.reset()
    value.removeAll(keepingCapacity: true)
    referenceGroup.reset()
    referenceActor.reset()
    referenceCounter.reset()
    expand.reset()
    markName.reset()
  }

  /// Appends a row. `source` holds what the ranges of all rows point into.
  mutating func append(
    _ operation: ChangeOperation, references: ArraySlice<LocalID>, from source: [UInt8]
  ) {
    append(actor: operation.object, &objectActor)
    if operation.object == .none {
      objectCounter.appendNull()
    } else {
      objectCounter.append(UInt64(operation.object.counter))
    }
    append(actor: operation.element, &keyActor)
    if operation.key.isNone {
      keyCounter.append(Int64(operation.element.counter))
      keyText.appendNull(from: source)
    } else {
      keyCounter.appendNull()
      keyText.append(operation.key, from: source)
    }
    insert.append(operation.isInsert)
    action.append(UInt64(operation.action))
    valueMetadata.append(UInt64(operation.value.count) << 4 | UInt64(operation.valueCode))
    if operation.value.count > 0 { value.append(contentsOf: source[operation.value.range]) }
    referenceGroup.append(UInt64(references.count))
    for reference in references {
      referenceActor.append(UInt64(reference.actor))
      referenceCounter.append(Int64(reference.counter))
    }
    expand.append(operation.expands)
    if operation.markName.isNone {
      markName.appendNull(from: source)
    } else {
      markName.append(operation.markName, from: source)
    }
  }

  /// The id of the row, in a document.
  mutating func append(id: LocalID) {
    idActor.append(UInt64(id.actor))
    idCounter.append(Int64(id.counter))
  }

  private func append(actor id: LocalID, _ column: inout RunWriter<UInt64>) {
    if id.actor == .max { column.appendNull() } else { column.append(UInt64(id.actor)) }
  }

  /// Completes all columns, and hands each over that is not empty, in ascending order.
  mutating func finish(
    ofDocument: Bool, from source: [UInt8], _ take: (UInt32, [UInt8]) -> Void
  ) {
    objectActor.finish()
    objectCounter.finish()
    keyActor.finish()
    keyCounter.finish()
    keyText.finish(from: source)
    idActor.finish()
    idCounter.finish()
    insert.finish()
    action.finish()
    valueMetadata.finish()
    referenceGroup.finish()
    referenceActor.finish()
    referenceCounter.finish()
    expand.finish()
    markName.finish(from: source)
    objectActor.give(Column.objectActor, to: take)
    objectCounter.give(Column.objectCounter, to: take)
    keyActor.give(Column.keyActor, to: take)
    keyCounter.give(Column.keyCounter, to: take)
    keyText.give(Column.keyText, to: take)
    idActor.give(Column.idActor, to: take)
    idCounter.give(Column.idCounter, to: take)
    if !insert.bytes.isEmpty { take(Column.insert, insert.bytes) }
    action.give(Column.action, to: take)
    valueMetadata.give(Column.valueMetadata, to: take)
    if !value.isEmpty { take(Column.value, value) }
    referenceGroup.give(
      ofDocument ? Column.successorGroup : Column.predecessorGroup, to: take)
    referenceActor.give(
      ofDocument ? Column.successorActor : Column.predecessorActor, to: take)
    referenceCounter.give(
      ofDocument ? Column.successorCounter : Column.predecessorCounter, to: take)
    if expand.hasTrue { take(Column.expand, expand.bytes) }
    markName.give(Column.markName, to: take)
  }
}
