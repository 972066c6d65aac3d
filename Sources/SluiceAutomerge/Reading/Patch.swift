// The way from one state to another, for readers who hold the first.

/// One step from an old state to a new one. Steps are to be made in order.
///
/// An object that comes into sight is given as a value: its content is what the new view shows.
/// Objects within it have no steps of their own.
public struct Patch: Sendable, Hashable {
  /// What a step does to its object.
  public enum Action: Sendable, Hashable {
    /// Sets a key of a map.
    case set(Value, forKey: String)
    /// Removes a key of a map.
    case removeValue(forKey: String)
    /// Replaces elements of a list.
    case replaceSubrange(Range<Int>, with: [Value])
    /// Replaces scalars of a text.
    case replaceText(Range<Int>, with: String)
    /// The marks of a text may be others: these are all of them.
    case marks([Mark])
  }

  /// The object that the step changes.
  public var object: ObjectID
  /// The path of the object in the new state.
  public var path: [View.Step]
  /// What the step does.
  public var action: Action
}

extension View {
  /// The steps from an older or younger view of the same document to this one.
  func difference(from old: View) -> [Patch] {
    var patches: [Patch] = []
    var sight = Sight()
    var slots = Set<UInt32>()
    for overlay in [overlay, old.overlay].compactMap({ $0 }) {
      slots.formUnion(overlay.maps.keys)
      slots.formUnion(overlay.sequences)
    }
    // Containers before what they contain, so that paths of the new state hold.
    let ordered = slots.sorted {
      (store.objects[Int($0)].depth, $0) < (store.objects[Int($1)].depth, $1)
    }
    for slot in ordered {
      guard old.isInSight(slot, &sight.old), isInSight(slot, &sight.new) else { continue }
      let actions =
        store.isSequence(slot) ? sequenceActions(slot, old) : mapActions(slot, old)
      guard !actions.isEmpty else { continue }
      let path = path(of: slot)
      patches.append(
        contentsOf: actions.map { Patch(object: store.objectID(slot), path: path, action: $0) })
    }
    return patches
  }

  private struct Sight {
    var old: [UInt32: Bool] = [:]
    var new: [UInt32: Bool] = [:]
  }

  /// Whether the object and all that contain it are winners.
  private func isInSight(_ slot: UInt32, _ known: inout [UInt32: Bool]) -> Bool {
    var chain: [UInt32] = []
    var current = slot
    var result = true
    while current != Store.rootSlot {
      if let answer = known[current] {
        result = answer
        break
      }
      chain.append(current)
      let index = store.objects[Int(current)].row
      let row = store.rows[Int(index)]
      if let overlay, !overlay.isIncluded[Int(index)] { result = false }
      if result {
        let register =
          store.isSequence(row.object)
          ? register(ofElement: store.element(of: index)) : register(row.object, key: row.key)
        result = register.winner == index
      }
      if !result { break }
      current = row.object
    }
    if result {
      for slot in chain { known[slot] = true }
    } else {
      // All those below the one that is out of sight are so too.
      for slot in chain { known[slot] = false }
    }
    return result
  }

  func path(of slot: UInt32) -> [Step] {
    var path: [Step] = []
    var current = slot
    while current != Store.rootSlot {
      let index = store.objects[Int(current)].row
      let row = store.rows[Int(index)]
      if store.isSequence(row.object) {
        path.append(.index(self.index(of: store.element(of: index), in: row.object)))
      } else {
        path.append(.key(text(store.keys.ranges[Int(row.key)])))
      }
      current = row.object
    }
    return path.reversed()
  }

  private func isSame(_ left: UInt32, in old: View, _ right: UInt32) -> Bool {
    guard left == right else { return false }
    return !store.rows[Int(left)].isCounter || old.increments(of: left) == increments(of: right)
  }

  private func mapActions(_ slot: UInt32, _ old: View) -> [Patch.Action] {
    var keys = Set<UInt32>()
    for overlay in [overlay, old.overlay].compactMap({ $0 }) {
      if let map = overlay.maps[slot] { keys.formUnion(map.keys) }
    }
    return keys.sorted().compactMap { key in
      let name = text(store.keys.ranges[Int(key)])
      switch (old.register(slot, key: key).winner, register(slot, key: key).winner) {
      case (nil, nil): return nil
      case (.some, nil): return .removeValue(forKey: name)
      case (let before?, let now?) where isSame(before, in: old, now): return nil
      case (_, let now?): return .set(value(of: now), forKey: name)
      }
    }
  }

  /// Walks along all elements, and gathers neighbours that changed into one step.
  private func sequenceActions(_ slot: UInt32, _ old: View) -> [Patch.Action] {
    let isText = store.objects[Int(slot)].kind == .text
    var actions: [Patch.Action] = []
    var index = 0
    var removing = 0
    var inserted = 0
    var values: [Value] = []
    var bytes: [UInt8] = []
    func flush() {
      if removing > 0 || inserted > 0 {
        actions.append(
          isText
            ? .replaceText(
              index..<index + removing, with: String(decoding: bytes, as: UTF8.self))
            : .replaceSubrange(index..<index + removing, with: values))
      }
      index += inserted
      removing = 0
      inserted = 0
      values = []
      bytes = []
    }
    store.trees.forEach(store.objects[Int(slot)].sequence) { element, _ in
      let before = old.register(ofElement: element).winner
      let now = register(ofElement: element).winner
      if let before, let now, isSame(before, in: old, now) {
        flush()
        index += width(of: now, in: slot)
        return true
      }
      if let before { removing += width(of: before, in: slot) }
      if let now {
        inserted += width(of: now, in: slot)
        if isText { appendText(ofRow: now, to: &bytes) } else { values.append(value(of: now)) }
      }
      return true
    }
    flush()
    let hasMarks =
      overlay?.markedSequences.contains(slot) == true
      || old.overlay?.markedSequences.contains(slot) == true
    if hasMarks { actions.append(.marks((try? marks(of: store.objectID(slot))) ?? [])) }
    return actions
  }
}
