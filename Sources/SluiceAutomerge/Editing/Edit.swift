// Edits of one change. Each takes effect at once, so that the next one sees it; if the whole is
// given up, the document becomes what it was.

extension Document {
  /// Makes one change of all that `body` edits, and gives it; nil if nothing was edited. If `body`
  /// throws, the document is as it was.
  ///
  ///     try document.edit(message: "Begin") { edit in
  ///       try edit.set("Plan", forKey: "title")
  ///       let list = try edit.make(.list, forKey: "tasks")
  ///       try edit.append("write", to: list)
  ///     }
  ///
  /// The change follows upon all heads. With `evenIfEmpty` it is made without operations too, as the
  /// mere merge of the heads. `time` is opaque; most writers give seconds since 1970.
  @discardableResult
  public mutating func edit(
    message: String? = nil, time: Int64 = 0, evenIfEmpty: Bool = false,
    _ body: (inout Edit) throws(AutomergeError) -> Void
  ) throws(AutomergeError) -> Change? {
    let checkpoint = store.checkpoint
    var edit = Edit(limits: limits)
    // The store moves into the edit and back, so that it is never copied.
    swap(&store, &edit.store)
    do {
      try edit.begin(actor: actor, message: message, time: time)
      try body(&edit)
    } catch {
      let hadEffect = edit.store.rows.count > checkpoint.rows
      edit.store.cutBack(to: checkpoint)
      if hadEffect { edit.store.rebuildEffects() }
      swap(&store, &edit.store)
      throw error
    }
    swap(&store, &edit.store)
    return store.commit(evenIfEmpty: evenIfEmpty, checkpoint)
  }

  /// The same, for a body that throws errors of its own too.
  @discardableResult
  public mutating func edit(
    message: String? = nil, time: Int64 = 0, evenIfEmpty: Bool = false,
    _ body: (inout Edit) throws -> Void
  ) throws -> Change? {
    var failure: (any Error)?
    do throws(AutomergeError) {
      return try edit(message: message, time: time, evenIfEmpty: evenIfEmpty) {
        edit throws(AutomergeError) in
        do { try body(&edit) } catch { failure = error }
        // Whatever is thrown gives the edits up; the caller gets `failure`.
        if failure != nil { throw AutomergeError(.outOfRange) }
      }
    } catch {
      throw failure ?? error
    }
  }
}

extension Store {
  /// Completes the change that an edit has made. Nil, and no change, if it has no operations.
  fileprivate mutating func commit(evenIfEmpty: Bool, _ checkpoint: Checkpoint) -> Change? {
    let index = UInt32(changes.count - 1)
    if changes[index].operationCount == 0, !evenIfEmpty {
      cutBack(to: checkpoint)
      return nil
    }
    let change = change(at: index)
    // No other change can have this hash: it would be this actor's, and applied.
    let isNew = changes.setHash(change.hash, of: index)
    precondition(isNew)
    return change
  }
}

/// The edits of one change, made by `Document.edit`.
public struct Edit {
  var store: Store
  private var actor: UInt32 = 0
  private var startCounter: UInt32 = 1

  fileprivate init(limits: Limits) { store = Store(limits: limits) }

  /// Begins the change, upon all heads.
  fileprivate mutating func begin(
    actor: ActorID, message: String?, time: Int64
  ) throws(AutomergeError) {
    let heads = store.changes.heads.sorted { store.changes[$0].hash < store.changes[$1].hash }
    let maxCounter = heads.map { store.changes[$0].maxCounter }.max() ?? 0
    guard maxCounter < UInt32.max - 1 else { throw AutomergeError(.counterTooLarge) }
    let text = Array((message ?? "").utf8)
    guard store.actors.count < store.limits.actorCountMax,
      actor.bytes.count <= store.limits.actorByteCountMax,
      heads.count <= store.limits.dependencyCountPerChangeMax,
      text.count <= store.limits.contentByteCountMax - store.contents.count
    else { throw AutomergeError(.limitReached) }
    self.actor = store.actors.insert(actor.bytes)
    startCounter = maxCounter + 1
    _ = try store.begin(
      actor: self.actor, sequence: UInt64(store.actors.changes[Int(self.actor)].count) + 1,
      startCounter: startCounter, operationCount: 0, dependencies: heads)
    let range = store.appendContents(text[...])
    store.changes.updateLast { record in
      record.time = time
      record.message = range
    }
  }

  /// The state with the edits made so far.
  public var view: View { View(store: store, overlay: nil) }

  // MARK: Maps

  /// Sets a key of a map. Makes no operation if the key has this value already, without conflict.
  public mutating func set(
    _ value: ScalarValue, forKey key: String, in object: ObjectID = .root
  ) throws(AutomergeError) {
    let slot = try slot(object, isSequence: false)
    let index = try intern(key)
    let register = store.objects[Int(slot)].map[index] ?? Register()
    if isAlready(value, register) { return }
    try append(
      Action.set, slot, key: index, predecessors: register.rows, value: value)
  }

  /// Makes an object at a key of a map, in place of what stands there.
  @discardableResult
  public mutating func make(
    _ kind: ObjectKind, forKey key: String, in object: ObjectID = .root
  ) throws(AutomergeError) -> ObjectID {
    let slot = try slot(object, isSequence: false)
    let index = try intern(key)
    let register = store.objects[Int(slot)].map[index] ?? Register()
    return .made(
      try append(kind.rawValue, slot, key: index, predecessors: register.rows))
  }

  /// Removes a key of a map. Makes no operation if nothing stands there.
  public mutating func removeValue(
    forKey key: String, in object: ObjectID = .root
  ) throws(AutomergeError) {
    let slot = try slot(object, isSequence: false)
    guard let index = store.keys.index(of: key.utf8, in: store.contents),
      let register = store.objects[Int(slot)].map[index]
    else { return }
    try append(Action.delete, slot, key: index, predecessors: register.rows)
  }

  /// Adds to the counter at a key of a map. The sum wraps.
  public mutating func incrementValue(
    forKey key: String, by amount: Int64 = 1, in object: ObjectID = .root
  ) throws(AutomergeError) {
    let slot = try slot(object, isSequence: false)
    guard let index = store.keys.index(of: key.utf8, in: store.contents),
      let register = store.objects[Int(slot)].map[index], isCounter(register)
    else { throw AutomergeError(.badIncrement) }
    try append(
      Action.increment, slot, key: index, predecessors: register.rows, value: .int(amount))
  }

  // MARK: Lists

  /// Inserts a value before the element at `index`, or at the end.
  public mutating func insert(
    _ value: ScalarValue, at index: Int, in list: ObjectID
  ) throws(AutomergeError) {
    let slot = try slot(list, isSequence: true)
    try append(
      Action.set, slot, key: try reference(for: index, slot), isInsert: true, value: value)
  }

  /// Inserts an object before the element at `index`, or at the end. In a text it is a block.
  @discardableResult
  public mutating func insert(
    _ kind: ObjectKind, at index: Int, in list: ObjectID
  ) throws(AutomergeError) -> ObjectID {
    let slot = try slot(list, isSequence: true)
    return .made(
      try append(kind.rawValue, slot, key: try reference(for: index, slot), isInsert: true))
  }

  /// Inserts a value behind the last element.
  public mutating func append(
    _ value: ScalarValue, to list: ObjectID
  ) throws(AutomergeError) {
    try insert(value, at: end(of: list), in: list)
  }

  /// Inserts an object behind the last element.
  @discardableResult
  public mutating func append(
    _ kind: ObjectKind, to list: ObjectID
  ) throws(AutomergeError) -> ObjectID {
    try insert(kind, at: end(of: list), in: list)
  }

  /// Sets an element. Makes no operation if it has this value already, without conflict.
  public mutating func set(
    _ value: ScalarValue, at index: Int, in list: ObjectID
  ) throws(AutomergeError) {
    let slot = try slot(list, isSequence: true)
    let element = try element(at: index, slot)
    let register = store.register(ofElement: element)
    if isAlready(value, register) { return }
    try append(Action.set, slot, key: element, predecessors: register.rows, value: value)
  }

  /// Makes an object in place of an element.
  @discardableResult
  public mutating func make(
    _ kind: ObjectKind, at index: Int, in list: ObjectID
  ) throws(AutomergeError) -> ObjectID {
    let slot = try slot(list, isSequence: true)
    let element = try element(at: index, slot)
    return .made(
      try append(
        kind.rawValue, slot, key: element,
        predecessors: store.register(ofElement: element).rows))
  }

  /// Removes the element at `index`, or of a text the one that covers this scalar.
  public mutating func remove(at index: Int, in list: ObjectID) throws(AutomergeError) {
    let slot = try slot(list, isSequence: true)
    try delete(try element(at: index, slot), slot)
  }

  /// Adds to the counter at an index of a list. The sum wraps.
  public mutating func incrementElement(
    at index: Int, by amount: Int64 = 1, in list: ObjectID
  ) throws(AutomergeError) {
    let slot = try slot(list, isSequence: true)
    let element = try element(at: index, slot)
    let register = store.register(ofElement: element)
    guard isCounter(register) else { throw AutomergeError(.badIncrement) }
    try append(
      Action.increment, slot, key: element, predecessors: register.rows, value: .int(amount))
  }

  // MARK: Texts

  /// Replaces scalars of a text by others, with one operation for each. An element of several scalars
  /// is removed whole if one of them is.
  public mutating func replaceSubrange(
    _ range: Range<Int>, in text: ObjectID, with inserted: String
  ) throws(AutomergeError) {
    let slot = try slot(text, isSequence: true)
    guard range.lowerBound >= 0, range.upperBound <= store.objects[Int(slot)].sequence.width else {
      throw AutomergeError(.outOfRange)
    }
    var place = range.lowerBound
    var remaining = range.count
    while remaining > 0 {
      guard
        let found = store.trees.element(
          at: place, in: store.objects[Int(slot)].sequence)
      else { break }
      let width = Int(store.width(of: found.row))
      try delete(found.row, slot)
      remaining -= width - (place - found.start)
      place = found.start
    }
    guard !inserted.isEmpty else { return }
    var reference = try reference(for: place, slot)
    for scalar in inserted.unicodeScalars {
      try append(
        Action.set, slot, key: reference, isInsert: true, value: .text(String(scalar)))
      reference = UInt32(store.rows.count - 1)
    }
  }

  /// Inserts a string before the scalar at `index` of a text, or at the end.
  public mutating func insert(
    contentsOf inserted: String, at index: Int, in text: ObjectID
  ) throws(AutomergeError) {
    try replaceSubrange(index..<index, in: text, with: inserted)
  }

  /// Inserts a string at the end of a text.
  public mutating func append(
    contentsOf inserted: String, to text: ObjectID
  ) throws(AutomergeError) {
    try insert(contentsOf: inserted, at: end(of: text), in: text)
  }

  /// Removes scalars of a text, or elements of a list.
  public mutating func removeSubrange(
    _ range: Range<Int>, in sequence: ObjectID
  ) throws(AutomergeError) {
    try replaceSubrange(range, in: sequence, with: "")
  }

  /// Marks a range of a text. A value of null takes a mark of this name off. What is typed later at
  /// an edge that expands is marked too.
  public mutating func mark(
    _ range: Range<Int>, in text: ObjectID, name: String, value: ScalarValue,
    expandsBefore: Bool = false, expandsAfter: Bool = true
  ) throws(AutomergeError) {
    let slot = try slot(text, isSequence: true)
    let width = store.objects[Int(slot)].sequence.width
    guard range.lowerBound >= 0, range.upperBound <= width, !range.isEmpty else {
      throw AutomergeError(.outOfRange)
    }
    try append(
      Action.mark, slot, key: try reference(for: range.lowerBound, slot), isInsert: true,
      value: value, markName: name, expands: expandsBefore)
    // Where the range is followed by a beginning of this place, the end comes before it.
    try append(
      Action.mark, slot, key: try reference(for: range.upperBound, slot), isInsert: true,
      expands: expandsAfter)
  }

  // MARK: Rows

  private func slot(
    _ object: ObjectID, isSequence: Bool
  ) throws(AutomergeError) -> UInt32 {
    guard let slot = store.slot(of: object) else { throw AutomergeError(.noSuchObject) }
    guard store.isSequence(slot) == isSequence else { throw AutomergeError(.wrongKind) }
    return slot
  }

  private func end(of sequence: ObjectID) throws(AutomergeError) -> Int {
    store.objects[Int(try slot(sequence, isSequence: true))].sequence.width
  }

  private mutating func intern(_ key: String) throws(AutomergeError) -> UInt32 {
    guard key.utf8.count <= store.limits.contentByteCountMax - store.contents.count else {
      throw AutomergeError(.limitReached)
    }
    return store.keys.insert(Array(key.utf8), into: &store.contents)
  }

  private func element(at index: Int, _ slot: UInt32) throws(AutomergeError) -> UInt32 {
    guard let found = store.trees.element(at: index, in: store.objects[Int(slot)].sequence)
    else { throw AutomergeError(.outOfRange) }
    return found.row
  }

  /// The element behind which an insertion at `index` goes: the visible one before it, or a mark
  /// behind that one if what is typed there lies on the mark's other side.
  private func reference(for index: Int, _ slot: UInt32) throws(AutomergeError) -> UInt32 {
    let sequence = store.objects[Int(slot)].sequence
    guard index >= 0, index <= sequence.width else { throw AutomergeError(.outOfRange) }
    var reference = OperationRow.head
    var next: UInt32?
    if index == 0 {
      next = store.trees.firstElement(of: sequence)
    } else {
      guard let found = store.trees.element(at: index - 1, in: sequence) else {
        throw AutomergeError(.outOfRange)
      }
      reference = found.row
      next = store.trees.element(after: found.row, leaf: store.rows[Int(found.row)].place)
    }
    // Only marks make a difference, and few documents have any.
    while !store.markNames.isEmpty, let element = next, store.width(of: element) == 0 {
      let row = store.rows[Int(element)]
      if row.action == Action.mark {
        let isBegin = store.markNames[element] != nil
        guard isBegin == row.flags.contains(.expands) else { break }
        reference = element
      }
      next = store.trees.element(after: element, leaf: row.place)
    }
    return reference
  }

  private mutating func delete(_ element: UInt32, _ slot: UInt32) throws(AutomergeError) {
    try append(
      Action.delete, slot, key: element, predecessors: store.register(ofElement: element).rows)
  }

  private func isCounter(_ register: Register) -> Bool {
    register.rows.contains { store.rows[Int($0)].isCounter }
  }

  private func isAlready(_ value: ScalarValue, _ register: Register) -> Bool {
    guard register.count == 1, let winner = register.winner else { return false }
    let row = store.rows[Int(winner)]
    guard row.action == Action.set, store.increments[winner] == nil else { return false }
    var bytes: [UInt8] = []
    guard let code = value.append(to: &bytes), code == row.valueCode else { return false }
    return store.contents[row.value.range].elementsEqual(bytes)
  }

  @discardableResult
  private mutating func append(
    _ action: UInt8, _ slot: UInt32, key: UInt32, isInsert: Bool = false,
    predecessors: [UInt32] = [], value: ScalarValue = .null, markName: String? = nil,
    expands: Bool = false
  ) throws(AutomergeError) -> OperationID {
    let index = store.rows.count
    let done = UInt32(index) - store.changes.records[store.changes.count - 1].firstRow
    guard UInt64(startCounter) + UInt64(done) < UInt64(UInt32.max) else {
      throw AutomergeError(.counterTooLarge)
    }
    var bytes: [UInt8] = []
    guard let code = value.append(to: &bytes) else { throw AutomergeError(.badValue) }
    let name = markName.map { Array($0.utf8) } ?? []
    guard index < store.limits.operationCountMax,
      Int(done) < store.limits.operationCountPerChangeMax,
      bytes.count + name.count <= store.limits.contentByteCountMax - store.contents.count
    else { throw AutomergeError(.limitReached) }
    var row = OperationRow(
      counter: startCounter + done, actor: actor, object: slot, key: key, action: action,
      valueCode: code)
    row.predecessors = store.keep(predecessors: predecessors)
    if isInsert { row.flags.insert(.insert) }
    if expands { row.flags.insert(.expands) }
    if !bytes.isEmpty {
      let range = store.appendContents(bytes[...])
      row.valueStart = range.start
      row.valueByteCount = range.count
    }
    do throws(AutomergeError.Reason) {
      try store.append(row)
    } catch {
      throw AutomergeError(error)
    }
    if markName != nil { store.markNames[UInt32(index)] = store.appendContents(name[...]) }
    store.changes.updateLast { $0.operationCount += 1 }
    store.takeEffect(index..<index + 1)
    return store.id(of: UInt32(index))
  }
}
