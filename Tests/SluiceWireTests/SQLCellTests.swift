// Rows of cells: the vectors in Protocol/vectors/sql-cells.json, and random rows.

import CSluice
import Foundation
import SluiceWire
import TestSupport
import Testing

/// A cell in JSON.
private struct VectorCell: Decodable, Equatable {
  var type: String
  var value: String?
  var text: String?
  var hex: String?
}

private struct CellVectors: Decodable {
  var accepted: [Accepted]
  var rejected: [Rejected]

  struct Accepted: Decodable {
    var name: String
    var byteCount: Int
    var start: Int?
    var cells: [VectorCell]
    var hex: String
    var canonical: Bool?
  }

  struct Rejected: Decodable {
    var name: String
    var start: Int?
    var count: Int
    var hex: String
    /// The cell's index, or "cells".
    var malformed: Malformed
  }

  enum Malformed: Decodable, Equatable {
    case cells
    case cell(Int)

    init(from decoder: any Decoder) throws {
      let box = try decoder.singleValueContainer()
      if let index = try? box.decode(Int.self) { self = .cell(index) } else { self = .cells }
    }
  }
}

/// A cell with its own bytes. NaN is not equal to itself, so a real is its bits.
private enum OwnCell: Equatable {
  case integer(Int64)
  case real(UInt64)
  case text([UInt8])
  case blob([UInt8])
  case null
  case farText(UInt64)
  case farBlob(UInt64)

  init(_ cell: VectorCell) throws {
    let bytes = cell.hex.map { bytesOfHex($0) } ?? Array((cell.text ?? "").utf8)
    switch cell.type {
    case "integer": self = .integer(try #require(Int64(cell.value ?? "")))
    case "real": self = .real(try #require(Double(cell.value ?? "")).bitPattern)
    case "text": self = .text(bytes)
    case "blob": self = .blob(bytes)
    case "null": self = .null
    case "farText": self = .farText(try #require(UInt64(cell.value ?? "")))
    case "farBlob": self = .farBlob(try #require(UInt64(cell.value ?? "")))
    default: throw BadVector(reason: cell.type)
    }
  }

  init(_ cell: SQLCell) {
    switch cell {
    case .integer(let value): self = .integer(value)
    case .real(let value): self = .real(value.bitPattern)
    case .text(let bytes): self = unsafe .text([UInt8](bytes))
    case .blob(let bytes): self = unsafe .blob([UInt8](bytes))
    case .null: self = .null
    case .farText(let count): self = .farText(count)
    case .farBlob(let count): self = .farBlob(count)
    }
  }

  var byteCount: Int {
    switch self {
    case .text(let bytes), .blob(let bytes): bytes.count
    default: 0
    }
  }

  func write(_ writer: inout SQLCellWriter) {
    switch self {
    case .integer(let value): writer.integer(value)
    case .real(let bits): writer.real(Double(bitPattern: bits))
    case .text(let bytes): unsafe bytes.withUnsafeBytes { unsafe writer.text($0) }
    case .blob(let bytes): unsafe bytes.withUnsafeBytes { unsafe writer.blob($0) }
    case .null: writer.null()
    case .farText(let count): writer.farText(byteCount: count)
    case .farBlob(let count): writer.farBlob(byteCount: count)
    }
  }
}

private func bytesOfHex(_ hex: String) -> [UInt8] {
  var bytes: [UInt8] = []
  var rest = hex[...]
  while let byte = UInt8(rest.prefix(2), radix: 16) {
    bytes.append(byte)
    rest = rest.dropFirst(2)
  }
  return bytes
}

/// A range that begins where shared memory would.
@safe
private final class Range64 {
  let bytes: UnsafeMutableRawBufferPointer

  init(_ content: [UInt8]) {
    unsafe bytes = .allocate(byteCount: max(content.count, 1), alignment: 64)
    unsafe bytes.copyBytes(from: content)
    count = content.count
  }

  deinit { unsafe bytes.deallocate() }

  private let count: Int
  var range: UnsafeMutableRawBufferPointer {
    unsafe UnsafeMutableRawBufferPointer(rebasing: bytes[..<count])
  }
  var content: [UInt8] { unsafe [UInt8](range) }

  func cells(from start: Int, count: Int) -> SQLCells? {
    unsafe SQLCells(UnsafeRawBufferPointer(range), from: start, count: count)
  }
}

@Suite struct SQLCellTests {
  @Test func theReaderReadsTheAcceptedVectors() throws {
    for vector in try loadVectors("sql-cells", as: CellVectors.self).accepted {
      let content = bytesOfHex(vector.hex)
      #expect(content.count == vector.byteCount, "\(vector.name)")
      let range = Range64(content)
      let cells = try #require(range.cells(from: vector.start ?? 0, count: vector.cells.count))
      for (index, expected) in vector.cells.enumerated() {
        let cell = try #require(cells[index], "\(vector.name)")
        #expect(OwnCell(cell) == (try OwnCell(expected)), "\(vector.name)")
      }
    }
  }

  @Test func theWriterMakesTheAcceptedVectors() throws {
    for vector in try loadVectors("sql-cells", as: CellVectors.self).accepted
    where vector.canonical ?? true {
      let range = Range64([UInt8](repeating: 0, count: vector.byteCount))
      var writer = unsafe SQLCellWriter(range.range, from: vector.start ?? 0)
      for cell in vector.cells { try OwnCell(cell).write(&writer) }
      #expect(range.content == bytesOfHex(vector.hex), "\(vector.name)")
    }
  }

  @Test func theReaderRefusesTheRejectedVectors() throws {
    for vector in try loadVectors("sql-cells", as: CellVectors.self).rejected {
      let range = Range64(bytesOfHex(vector.hex))
      let cells = range.cells(from: vector.start ?? 0, count: vector.count)
      var found: CellVectors.Malformed?
      if let cells {
        found = (0..<vector.count).first { cells[$0] == nil }.map { .cell($0) }
      } else {
        found = .cells
      }
      #expect(found == vector.malformed, "\(vector.name)")
    }
  }

  @Test func randomRowsComeBackUntilTheRangeIsFull() {
    let seed = UInt64.random(in: 0 ... .max)
    var random = SplitMix(seed)
    for _ in 0..<2000 {
      let range = Range64([UInt8](repeating: 0xaa, count: Int(random.below(600))))
      let start = min(range.content.count / 8 * 8, [0, 16, 40][Int(random.below(3))])
      var writer = unsafe SQLCellWriter(range.range, from: start)
      var written: [OwnCell] = []
      while writer.hasRoom(forCells: 1) {
        let mark = writer
        let cell = random.cell()
        guard writer.hasRoom(forBytes: cell.byteCount, beforeCells: 1) else { break }
        cell.write(&writer)
        if random.below(10) == 0 { writer.goBack(to: mark) } else { written.append(cell) }
        #expect(writer.cellsEnd <= writer.bytesStart, "seed \(seed)")
      }
      guard let cells = range.cells(from: start, count: written.count) else {
        Issue.record("the cells leave the range; seed \(seed)")
        return
      }
      for (index, cell) in written.enumerated() {
        #expect(cells[index].map { OwnCell($0) } == cell, "seed \(seed)")
      }
      // Nothing but the cells and their bytes was touched.
      #expect(range.content[..<start].allSatisfy { $0 == 0xaa }, "seed \(seed)")
    }
  }

  @Test func randomBytesAreReadWithinTheRange() {
    let seed = UInt64.random(in: 0 ... .max)
    var random = SplitMix(seed)
    for _ in 0..<20_000 {
      var content = (0..<random.below(100)).map { _ in UInt8(truncatingIfNeeded: random.next()) }
      // Likely types and small numbers.
      for place in stride(from: 0, to: content.count, by: 16) where random.below(4) > 0 {
        content[place] = UInt8(random.below(9))
        for byte in place + 5..<place + 16 where byte < content.count && byte % 8 > 0 {
          content[byte] = 0
        }
      }
      let range = Range64(content)
      let count = content.count / 16
      #expect(range.cells(from: 0, count: count + 1) == nil)
      guard let cells = range.cells(from: 0, count: count) else {
        Issue.record("seed \(seed)")
        return
      }
      for index in 0..<count {
        let type = content[index * 16]
        switch cells[index] {
        case .text(let bytes)?, .blob(let bytes)?:
          let base = unsafe UnsafeRawPointer(range.range.baseAddress!)
          #expect(
            unsafe bytes.isEmpty
              || (bytes.baseAddress! >= base
                && bytes.baseAddress! + bytes.count
                  <= base + content.count),
            "seed \(seed)")
        case nil: #expect(!(1...2).contains(type) && type != 5, "seed \(seed)")
        default: #expect((1...7).contains(type), "seed \(seed)")
        }
      }
    }
  }
}

private struct SplitMix {
  private var state: UInt64

  init(_ seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var word = (state ^ state >> 30) &* 0xbf58_476d_1ce4_e5b9
    word = (word ^ word >> 27) &* 0x94d0_49bb_1331_11eb
    return word ^ word >> 31
  }

  mutating func below(_ bound: UInt64) -> UInt64 { next() % bound }

  mutating func cell() -> OwnCell {
    let bytes = (0..<below(40)).map { _ in UInt8(truncatingIfNeeded: next()) }
    switch below(7) {
    case 0: return .integer(Int64(bitPattern: next()))
    case 1: return .real(next())
    case 2: return .text(bytes)
    case 3: return .blob(bytes)
    case 4: return .farText(next())
    case 5: return .farBlob(next())
    default: return .null
    }
  }
}
