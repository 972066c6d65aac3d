// What a view shows of the store's rows: the present registers, or the overlay's where the past was
// another.

extension View {
  func slot(of object: ObjectID) -> UInt32? {
    guard let slot = store.slot(of: object) else { return nil }
    if slot != Store.rootSlot, let overlay,
      !overlay.isIncluded[Int(store.objects[Int(slot)].row)]
    {
      return nil
    }
    return slot
  }

  func slot(of object: ObjectID, isSequence: Bool) throws(AutomergeError) -> UInt32 {
    guard let slot = slot(of: object) else { throw AutomergeError(.noSuchObject) }
    guard store.isSequence(slot) == isSequence else { throw AutomergeError(.wrongKind) }
    return slot
  }

  // MARK: Registers

  func register(forKey key: String, in object: ObjectID) throws(AutomergeError) -> Register {
    let slot = try slot(of: object, isSequence: false)
    guard let index = store.keys.index(of: key.utf8, in: store.contents) else {
      return Register()
    }
    return register(slot, key: index)
  }

  func register(_ slot: UInt32, key: UInt32) -> Register {
    if let past = overlay?.maps[slot]?[key] { return past }
    return store.objects[Int(slot)].map[key] ?? Register()
  }

  func register(ofElement element: UInt32) -> Register {
    if let past = overlay?.elements[element] { return past }
    return store.register(ofElement: element)
  }

  /// Whether the sequence was another than today.
  func isChanged(_ slot: UInt32) -> Bool { overlay?.sequences.contains(slot) == true }

  /// The keys of a map with something visible, but at most so many.
  func propertyCount(of slot: UInt32, upTo countMax: Int = .max) -> Int {
    var count = 0
    let past = overlay?.maps[slot]
    for (key, register) in store.objects[Int(slot)].map where past?[key] == nil {
      if count == countMax { return count }
      if register.winner != nil { count += 1 }
    }
    for register in (past ?? [:]).values {
      if count == countMax { return count }
      if register.winner != nil { count += 1 }
    }
    return count
  }

  /// The keys of a map with something visible, in byte order.
  func propertyRows(of slot: UInt32) -> [(key: UInt32, winner: UInt32)] {
    var rows: [(key: UInt32, winner: UInt32)] = []
    let past = overlay?.maps[slot]
    for (key, register) in store.objects[Int(slot)].map where past?[key] == nil {
      if let winner = register.winner { rows.append((key, winner)) }
    }
    for (key, register) in past ?? [:] {
      if let winner = register.winner { rows.append((key, winner)) }
    }
    if rows.count > 1 {
      // The closure holds these two only; of `self` it would hold each table anew at every call.
      let keys = store.keys
      let contents = store.contents
      rows.sort { keys.precedes($0.key, $1.key, in: contents) }
    }
    return rows
  }

  /// Calls `body` with each visible element of a sequence, until it gives false.
  func forEachElement(
    of slot: UInt32, _ body: (_ element: UInt32, _ register: Register) -> Bool
  ) {
    // A text may have visible elements without a scalar.
    let mayBeHidden = isChanged(slot) || store.objects[Int(slot)].kind == .text
    store.trees.forEach(store.objects[Int(slot)].sequence) { element, width in
      if width == 0, !mayBeHidden { return true }
      let register = register(ofElement: element)
      return register.isEmpty ? true : body(element, register)
    }
  }

  func element(at index: Int, in slot: UInt32) -> UInt32? {
    if !isChanged(slot) {
      return store.trees.element(at: index, in: store.objects[Int(slot)].sequence)?.row
    }
    guard index >= 0 else { return nil }
    var rest = index
    var found: UInt32?
    forEachElement(of: slot) { element, register in
      let width = width(of: register.winner!, in: slot)
      if rest < width { found = element }
      rest -= width
      return found == nil
    }
    return found
  }

  /// The index of an element that is visible.
  func index(of element: UInt32, in slot: UInt32) -> Int {
    if !isChanged(slot) {
      return store.trees.index(of: element, leaf: store.rows[Int(element)].place)
    }
    var index = 0
    forEachElement(of: slot) { other, register in
      if other == element { return false }
      index += width(of: register.winner!, in: slot)
      return true
    }
    return index
  }

  func width(of winner: UInt32, in slot: UInt32) -> Int {
    store.objects[Int(slot)].kind == .text ? Int(store.textWidth(of: store.rows[Int(winner)])) : 1
  }

  // MARK: Values

  func value(of index: UInt32) -> Value {
    let row = store.rows[Int(index)]
    if let kind = ObjectKind(rawValue: row.action) {
      return .object(kind, .made(store.id(of: index)))
    }
    return .scalar(scalar(of: index))
  }

  func scalar(of index: UInt32) -> ScalarValue {
    let row = store.rows[Int(index)]
    let scalar = ScalarValue(code: row.valueCode, store.contents, row.value.range)
    if case .counter(let start) = scalar { return .counter(start &+ increments(of: index)) }
    return scalar
  }

  /// What increments have added to a counter.
  func increments(of index: UInt32) -> Int64 {
    guard let overlay else { return store.increments[index] ?? 0 }
    let row = store.rows[Int(index)]
    let isPast =
      store.isSequence(row.object)
      ? overlay.elements[store.element(of: index)] != nil
      : overlay.maps[row.object]?[row.key] != nil
    return (isPast ? overlay.increments[index] : store.increments[index]) ?? 0
  }

  func entry(_ register: Register) -> Entry {
    let candidates = register.rows.map {
      Entry.Candidate(id: store.id(of: $0), value: value(of: $0))
    }
    return Entry(
      id: candidates[candidates.count - 1].id, value: candidates[candidates.count - 1].value,
      candidates: candidates)
  }

  func text(_ range: ByteRange) -> String {
    String(decoding: store.contents[range.range], as: UTF8.self)
  }

  func appendText(of slot: UInt32, to bytes: inout [UInt8]) {
    guard !isChanged(slot) else {
      forEachElement(of: slot) { _, register in
        appendText(ofRow: register.winner!, to: &bytes)
        return true
      }
      return
    }
    bytes.reserveCapacity(bytes.count + store.objects[Int(slot)].sequence.width)
    store.trees.forEach(store.objects[Int(slot)].sequence) { element, width in
      // What has no width has no text either.
      if width > 0, let winner = store.winner(of: element) {
        appendText(ofRow: winner, to: &bytes)
      }
      return true
    }
  }

  /// The string of an element, or the character that stands for an object.
  func appendText(ofRow index: UInt32, to bytes: inout [UInt8]) {
    let row = store.rows[Int(index)]
    if row.action == Action.set, row.valueCode == ValueCode.text {
      if row.valueByteCount == 1 {
        bytes.append(store.contents[Int(row.valueStart)])
      } else {
        bytes.append(contentsOf: store.contents[row.value.range])
      }
    } else {
      bytes.append(contentsOf: "\u{FFFC}".utf8)
    }
  }
}
