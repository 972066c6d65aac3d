// Inputs that are made to exhaust or confuse a reader: each is refused for its reason, and leaves the
// document as it was.

import AutomergeScenarios
import Testing

@testable import SluiceAutomerge

/// A change chunk of any columns, right or wrong.
private struct RawChange {
  var actor: [UInt8] = [1]
  var dependencies: [ChangeHash] = []
  var sequence: UInt64 = 1
  var start: UInt64 = 1
  var otherActors: [[UInt8]] = []
  var columns: [(UInt32, [UInt8])] = []

  var contents: [UInt8] {
    var bytes: [UInt8] = []
    bytes.append(unsigned: UInt64(dependencies.count))
    for hash in dependencies { bytes.append(contentsOf: hash.bytes) }
    bytes.append(lengthPrefixed: actor)
    bytes.append(unsigned: sequence)
    bytes.append(unsigned: start)
    bytes.append(signed: 0)
    bytes.append(unsigned: 0)
    bytes.append(unsigned: UInt64(otherActors.count))
    for other in otherActors { bytes.append(lengthPrefixed: other) }
    bytes.append(unsigned: UInt64(columns.count))
    for (column, data) in columns {
      bytes.append(unsigned: UInt64(column))
      bytes.append(unsigned: UInt64(data.count))
    }
    for (_, data) in columns { bytes.append(contentsOf: data) }
    return bytes
  }

  var chunk: [UInt8] { Chunk.make(.change, contents).bytes }
}

private func run(_ count: Int64, _ value: UInt64) -> [UInt8] {
  var bytes: [UInt8] = []
  bytes.append(signed: count)
  bytes.append(unsigned: value)
  return bytes
}

private let keyA: [UInt8] = [0x7f, 1, 0x61]

struct HostileTests {
  private func expect(
    _ reason: AutomergeError.Reason, _ bytes: [UInt8], limits: Limits = Limits()
  ) {
    #expect(refusal { _ = try Document(loading: bytes, limits: limits) } == reason)
  }

  @Test func runsOfMoreRowsThanAnyDocumentHasAreRefused() {
    for count in [Int64(1) << 62, Int64.max, Int64(1) << 32] {
      let change = RawChange(columns: [
        (Column.keyText, keyA), (Column.insert, [1]), (Column.action, run(count, 1)),
      ])
      expect(.limitReached, change.chunk)
    }
  }

  @Test func runsOfOtherColumnsDoNotExceedTheRows() {
    let change = RawChange(columns: [
      (Column.keyText, [0xff, 0xff, 0xff, 0xff, 0x0f, 1, 0x61]), (Column.insert, [1]),
      (Column.action, [0x7f, 1]), (Column.predecessorGroup, run(1 << 62, 0)),
    ])
    expect(.columnLength, change.chunk)
  }

  @Test func aGroupThatPromisesTooManyPredecessorsIsRefused() {
    let change = RawChange(columns: [
      (Column.keyText, keyA), (Column.insert, [1]), (Column.action, [0x7f, 1]),
      (Column.predecessorGroup, [0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f]),
      (Column.predecessorActor, run(1 << 40, 0)),
      (Column.predecessorCounter, run(1 << 40, 0)),
    ])
    expect(.limitReached, change.chunk)
    // Two may be, but no operation has the counter 0.
    var few = change
    few.columns[3].1 = [0x7f, 2]
    expect(.counterZero, few.chunk)
  }

  @Test func compressedBombsAreRefusedBeforeTheyTakeMemory() throws {
    // A stream of repeats, made by hand: a fixed block with one zero, then copies of 258 of it.
    let stream = bomb(copies: 280_000)
    var chunk: [UInt8] = Chunk.magic + [0, 0, 0, 0, ChunkKind.compressedChange.rawValue]
    chunk.append(lengthPrefixed: stream)
    expect(.limitReached, chunk)
  }

  /// A DEFLATE stream of about 258 bytes for each copy.
  private func bomb(copies: Int) -> [UInt8] {
    var bytes: [UInt8] = []
    var current: UInt8 = 0
    var bit = 0
    func put(_ value: Int, _ count: Int, highFirst: Bool) {
      for index in 0..<count {
        let place = highFirst ? count - 1 - index : index
        current |= UInt8(value >> place & 1) << UInt8(bit)
        bit += 1
        if bit == 8 {
          bytes.append(current)
          current = 0
          bit = 0
        }
      }
    }
    put(1, 1, highFirst: false)
    put(1, 2, highFirst: false)
    put(0x30, 8, highFirst: true)
    for _ in 0..<copies {
      put(0b1100_0101, 8, highFirst: true)
      put(0, 5, highFirst: true)
    }
    put(0, 7, highFirst: true)
    bytes.append(current)
    return bytes
  }

  @Test func nestingBeyondTheLimitIsRefused() throws {
    var document = Document()
    func nest(_ depth: Int) throws(AutomergeError) {
      try document.edit { edit throws(AutomergeError) in
        var object = ObjectID.root
        for _ in 0..<depth { object = try edit.make(.map, forKey: "m", in: object) }
      }
    }
    #expect(refusal { try nest(20_000) } == .limitReached)
    #expect(document.heads.isEmpty && document.view.json() == "{}")

    // The same from another replica, which has no such limit.
    var limits = Limits()
    limits.nestingDepthMax = .max
    var other = Document(limits: limits)
    let change = try other.edit { edit throws(AutomergeError) in
      var object = ObjectID.root
      for _ in 0..<20_000 { object = try edit.make(.map, forKey: "m", in: object) }
    }
    let bytes = try #require(change?.bytes)
    #expect(refusal { try document.apply(Change(bytes)) } == .limitReached)
    #expect(other.view.json()?.utf8.count == 20_000 * 6 + 2)
    let depth = Limits().nestingDepthMax
    try nest(depth)
    #expect(document.view.json()?.utf8.count == depth * 6 + 2)
  }

  @Test func countersThatReach32BitsAreRefused() {
    for start in [UInt64(1) << 32, .max] {
      expect(.counterTooLarge, RawChange(start: start).chunk)
    }
    // The start fits, its last operation does not.
    let change = RawChange(
      start: UInt64(UInt32.max) - 1,
      columns: [
        (Column.keyText, [3, 1, 0x61]), (Column.insert, [3]), (Column.action, [3, 1]),
        (Column.valueMetadata, [3, 0]), (Column.predecessorGroup, [3, 0]),
      ])
    expect(.counterTooLarge, change.chunk)
    expect(.counterZero, RawChange(start: 0).chunk)
  }

  @Test func actorIndexesBeyondTheTableAreRefused() {
    for column in [Column.objectActor, Column.keyActor, Column.predecessorActor] {
      var columns: [(UInt32, [UInt8])] = [
        (Column.insert, [1]), (Column.action, [0x7f, 1]), (Column.valueMetadata, [0x7f, 0]),
        (column, [0x7f, 7]),
      ]
      switch column {
      case Column.objectActor:
        columns += [(Column.objectCounter, [0x7f, 1]), (Column.keyText, keyA)]
      case Column.keyActor: columns += [(Column.keyCounter, [0x7f, 1])]
      default:
        columns += [
          (Column.keyText, keyA), (Column.predecessorGroup, [0x7f, 1]),
          (Column.predecessorCounter, [0x7f, 1]),
        ]
      }
      columns.sort { $0.0 < $1.0 }
      expect(.actorIndex, RawChange(columns: columns).chunk)
    }
  }

  @Test func tableCountsBeyondTheDataAreRefused() {
    var bytes: [UInt8] = []
    bytes.append(unsigned: .max)
    expect(.truncated, Chunk.make(.change, bytes).bytes)
    expect(.truncated, Chunk.make(.document, bytes).bytes)
  }

  @Test func everyTruncationAndEveryFlippedBitIsSurvived() throws {
    let scenario = try Scenario(seed: 5, actorCountMax: 3, changeCountMax: 8)
    var document = Document()
    try document.apply(scenario.changes)
    let saved = document.save(compressing: false)
    for count in 1..<saved.count {
      #expect(refusal { _ = try Document(loading: Array(saved[..<count])) } != nil)
    }
    let contents = try contents(of: saved)
    for index in contents.indices {
      for bit in 0..<8 {
        var damaged = contents
        damaged[index] ^= 1 << UInt8(bit)
        let bytes = Chunk.make(.document, damaged).bytes
        guard let loaded = try? Document(loading: bytes) else { continue }
        let again = try Document(loading: loaded.save())
        #expect(again.heads == loaded.heads)
      }
    }
  }

  private func contents(of bytes: [UInt8]) throws -> [UInt8] {
    var reader = ByteReader(bytes)
    let chunk = try Chunk(&reader, limits: Limits())
    return Array(chunk.bytes[chunk.contents])
  }

  @Test func waitingChangesAreBounded() throws {
    var limits = Limits()
    limits.waitingChangeCountMax = 3
    var writer = Document()
    var changes: [Change] = []
    for index in 0..<6 {
      changes.append(try writer.put(.int(Int64(index)), "k"))
    }
    var document = Document(limits: limits)
    for change in changes[1...3] { try document.apply(change) }
    #expect(refusal { try document.apply(changes[4]) } == .limitReached)
    #expect(refusal { try document.apply(changes[4...5]) } == .limitReached)
    #expect(document.waitingChanges == Array(changes[1...3]))
    #expect(document.missingDependencies == [changes[0].hash])
    try document.apply(changes[0])
    #expect(document.heads == [changes[3].hash])
    #expect(document.waitingChanges.isEmpty)
  }
}
