// Random histories of several writers who edit at once and merge now and then.

package import SluiceAutomerge
package import TestSupport

extension SeededRandom {
  package mutating func number(below bound: Int) -> Int { Int.random(in: 0..<bound, using: &self) }
}

/// The changes that some writers made, in the order in which one of them knows them.
package struct Scenario {
  package private(set) var changes: [Change] = []
  package var generator: SeededRandom
  private var replicas: [Document] = []

  package init(
    seed: UInt64, actorCountMax: Int, changeCountMax: Int
  ) throws(AutomergeError) {
    generator = SeededRandom(seed: seed)
    let actorCount = 2 + generator.number(below: actorCountMax - 1)
    for index in 0..<actorCount {
      // Names of different lengths, some a prefix of others.
      let name = [UInt8](repeating: UInt8(index / 2), count: 1 + index % 3) + [UInt8(index)]
      replicas.append(Document(actor: ActorID(name)!))
    }
    let changeCount = 1 + generator.number(below: changeCountMax)
    try begin()
    var made = 1
    while made < changeCount {
      if generator.number(below: 6) == 0 {
        made += try editAllAtOnce()
        continue
      }
      let index = generator.number(below: actorCount)
      if generator.number(below: 3) == 0 {
        try merge(into: index, from: generator.number(below: actorCount))
      }
      if try edit(index) { made += 1 }
    }
    for index in 1..<actorCount { try merge(into: 0, from: index) }
    changes = Array(replicas[0].history)
  }

  /// Objects that all writers share from the beginning.
  private mutating func begin() throws(AutomergeError) {
    try replicas[0].edit { edit throws(AutomergeError) in
      let list = try edit.make(.list, forKey: "list")
      try edit.insert(.int(1), at: 0, in: list)
      let text = try edit.make(.text, forKey: "text")
      try edit.append(contentsOf: "shared é😀", to: text)
      try edit.set(.counter(1), forKey: "counter")
      _ = try edit.make(.map, forKey: "map")
    }
    for index in 1..<replicas.count where generator.number(below: 8) > 0 {
      try merge(into: index, from: 0)
    }
  }

  private mutating func merge(into target: Int, from source: Int) throws(AutomergeError) {
    guard target != source else { return }
    try replicas[target].apply(replicas[source].changes(since: replicas[target].heads))
  }

  /// All writers know the same and make one edit each, so that their operations have equal counters.
  private mutating func editAllAtOnce() throws(AutomergeError) -> Int {
    for index in 1..<replicas.count { try merge(into: 0, from: index) }
    for index in 1..<replicas.count { try merge(into: index, from: 0) }
    let place = generator.number(below: 3)
    for index in replicas.indices {
      try replicas[index].edit { edit throws(AutomergeError) in
        if place == 0 {
          try edit.set(.int(Int64(index)), forKey: "b")
        } else if case .object(let kind, let object)? = edit.view.value(
          at: [place == 1 ? "list" : "text"]), kind.isSequence
        {
          try edit.insert(.text("\(index)"), at: 0, in: object)
        } else {
          try edit.set(.text("\(index)"), forKey: "a")
        }
      }
    }
    return replicas.count
  }

  /// False if nothing came of it.
  private mutating func edit(_ index: Int) throws(AutomergeError) -> Bool {
    var generator = generator
    let change = try replicas[index].edit(
      message: generator.number(below: 4) == 0 ? "m" : nil, time: Int64(generator.number(below: 9)),
      evenIfEmpty: generator.number(below: 20) == 0
    ) { edit throws(AutomergeError) in
      for _ in 0...generator.number(below: 3) { try randomEdit(&edit, &generator) }
    }
    self.generator = generator
    return change != nil
  }
}

/// One edit of a random object in sight.
private func randomEdit(
  _ edit: inout Edit, _ generator: inout SeededRandom
) throws(AutomergeError) {
  var object = ObjectID.root
  var kind = ObjectKind.map
  for _ in 0..<3 {
    let inner = try objects(in: object, kind, edit.view)
    guard !inner.isEmpty, generator.number(below: 4) > 0 else { break }
    (kind, object) = inner[generator.number(below: inner.count)]
  }
  switch kind {
  case .map, .table: try editMap(&edit, object, &generator)
  case .list: try editList(&edit, object, &generator)
  case .text: try editText(&edit, object, &generator)
  }
}

private func objects(
  in object: ObjectID, _ kind: ObjectKind, _ view: View
) throws(AutomergeError) -> [(ObjectKind, ObjectID)] {
  let values =
    kind.isSequence
    ? try view.elements(of: object).map(\.entry.value)
    : try view.properties(of: object).map(\.entry.value)
  return values.compactMap { value in
    if case .object(let kind, let object) = value { return (kind, object) }
    return nil
  }
}

private func randomValue(_ generator: inout SeededRandom) -> ScalarValue {
  switch generator.number(below: 8) {
  case 0: .counter(Int64(generator.number(below: 5)))
  case 1: .text("v\(generator.number(below: 4))")
  case 2: .null
  case 3: .bool(generator.number(below: 2) == 0)
  case 4: .double(Double(generator.number(below: 10)) / 4)
  case 5: .bytes([1, UInt8(generator.number(below: 255))])
  case 6: .uint(.max)
  default: .int(Int64(generator.number(below: 100)) - 50)
  }
}

private func editMap(
  _ edit: inout Edit, _ map: ObjectID, _ generator: inout SeededRandom
) throws(AutomergeError) {
  let key = ["a", "b", "counter", "é", "e\u{301}", "😀", "\u{ffff}"][generator.number(below: 7)]
  switch generator.number(below: 8) {
  case 0: try edit.removeValue(forKey: key, in: map)
  case 1:
    let kinds: [ObjectKind] = [.map, .list, .text, .table]
    try edit.make(kinds[generator.number(below: 4)], forKey: key, in: map)
  case 2, 3:
    let amount = generator.number(below: 3) == 0 ? Int64.max : Int64(generator.number(below: 9))
    if case .scalar(.counter)? = try edit.view.value(forKey: key, in: map) {
      try edit.incrementValue(forKey: key, by: amount, in: map)
    }
  default: try edit.set(randomValue(&generator), forKey: key, in: map)
  }
}

private func editList(
  _ edit: inout Edit, _ list: ObjectID, _ generator: inout SeededRandom
) throws(AutomergeError) {
  let count = try edit.view.count(of: list)
  let index = count == 0 ? 0 : generator.number(below: count)
  switch generator.number(below: 7) {
  case 0 where count > 0: try edit.remove(at: index, in: list)
  case 1 where count > 0: try edit.set(randomValue(&generator), at: index, in: list)
  case 2 where count > 0:
    if case .scalar(.counter) = try edit.view.entry(at: index, in: list).value {
      try edit.incrementElement(at: index, by: 2, in: list)
    }
  case 3 where count > 0: try edit.make(.map, at: index, in: list)
  case 4: try edit.insert(.text, at: index, in: list)
  default:
    try edit.insert(randomValue(&generator), at: generator.number(below: count + 1), in: list)
  }
}

private func editText(
  _ edit: inout Edit, _ text: ObjectID, _ generator: inout SeededRandom
) throws(AutomergeError) {
  let count = try edit.view.count(of: text)
  let index = generator.number(below: count + 1)
  switch generator.number(below: 8) {
  case 0 where count > 1:
    let start = generator.number(below: count - 1)
    let end = start + 1 + generator.number(below: count - start)
    try edit.mark(
      start..<min(end, count), in: text, name: ["bold", "link"][generator.number(below: 2)],
      value: generator.number(below: 3) == 0 ? .null : .bool(true),
      expandsBefore: generator.number(below: 2) == 0)
  case 1: try edit.insert(.map, at: index, in: text)
  case 2 where count > 0: try edit.set(.text("two"), at: index == count ? 0 : index, in: text)
  case 3, 4:
    let end = index + generator.number(below: min(4, count - index + 1))
    try edit.removeSubrange(index..<end, in: text)
  default:
    let words = ["x", "yz", "é😀", "hello"]
    try edit.insert(contentsOf: words[generator.number(below: 4)], at: index, in: text)
  }
}
