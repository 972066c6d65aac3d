// Values in pieces, against a simple model.

import Testing

@testable import SluiceEngine

@Suite struct PiecesTests {
  private func add(
    _ pieces: inout Pieces, _ piece: [UInt8], to parameter: UInt64, at offset: Int64,
    of byteCount: Int64, maximum: Int = 1000
  ) -> Pieces.Refusal? {
    do throws(Pieces.Refusal) {
      let copy = piece
      try unsafe copy.withUnsafeBytesThrowing {
        (bytes) throws(Pieces.Refusal) in
        try unsafe pieces.add(bytes, to: parameter, at: offset, of: byteCount, maximum: maximum)
      }
      return nil
    } catch { return error }
  }

  @Test func aValueIsThereWhenItsLastPieceIs() {
    var pieces = Pieces()
    #expect(add(&pieces, [1, 2], to: 1, at: 0, of: 4) == nil)
    #expect(pieces[1] == nil)
    #expect(add(&pieces, [3, 4], to: 1, at: 2, of: 4) == nil)
    #expect(pieces[1] == [1, 2, 3, 4])
    #expect(add(&pieces, [], to: 2, at: 0, of: 0) == nil)
    #expect(pieces[2] == [])
    pieces.removeAll()
    #expect(pieces.isEmpty && pieces[1] == nil)
  }

  @Test func allValuesTogetherAreAtMostTwice() {
    var pieces = Pieces()
    #expect(add(&pieces, [], to: 1, at: 0, of: 1000) == nil)
    #expect(add(&pieces, [], to: 2, at: 0, of: 1000) == nil)
    #expect(add(&pieces, [], to: 3, at: 0, of: 1) == .tooLarge)
    // The same value again does not count twice.
    #expect(add(&pieces, [], to: 2, at: 0, of: 999) == nil)
    #expect(add(&pieces, [9], to: 3, at: 0, of: 1) == nil)
    #expect(add(&pieces, [], to: 1, at: 0, of: 1001) == .tooLarge)
    #expect(add(&pieces, [], to: 1, at: 0, of: .max) == .tooLarge)
  }

  @Test func randomPiecesAreAsTheModelSays() {
    let seed = UInt64.random(in: 0 ... .max)
    var random = Xorshift(seed)
    for _ in 0..<200 {
      var pieces = Pieces()
      var model: [UInt64: (bytes: [UInt8], wanted: Int)] = [:]
      for _ in 0..<100 {
        let parameter = random.below(4)
        let known = model[parameter]
        let wanted = random.below(3) == 0 ? Int(random.below(1200)) : known?.wanted ?? 50
        let offset =
          random.below(4) == 0
          ? Int(random.below(60)) : random.below(5) == 0 ? 0 : known?.bytes.count ?? 0
        let piece = (0..<random.below(40)).map { _ in UInt8(truncatingIfNeeded: random.next()) }
        let refusal = add(
          &pieces, piece, to: parameter, at: Int64(offset), of: Int64(wanted))
        var expected: Pieces.Refusal?
        if offset == 0 {
          model[parameter] = nil
          let sum = model.values.reduce(0) { $0 + $1.wanted }
          if wanted > 1000 || sum + wanted > 2000 {
            expected = .tooLarge
          } else {
            model[parameter] = ([], wanted)
          }
        }
        if expected == nil {
          if let value = model[parameter], value.wanted == wanted, value.bytes.count == offset,
            offset + piece.count <= wanted
          {
            model[parameter]!.bytes += piece
          } else {
            expected = .outOfOrder
          }
        }
        #expect(refusal == expected, "seed \(seed)")
        for parameter in UInt64(0)..<4 {
          let value = model[parameter].flatMap { $0.bytes.count == $0.wanted ? $0.bytes : nil }
          #expect(pieces[parameter] == value, "seed \(seed)")
        }
      }
    }
  }
}

extension Array<UInt8> {
  fileprivate func withUnsafeBytesThrowing<E: Error>(
    _ body: (UnsafeRawBufferPointer) throws(E) -> Void
  ) throws(E) {
    let result = unsafe withUnsafeBytes { (bytes) -> Result<Void, E> in
      do throws(E) { return .success(try unsafe body(bytes)) } catch { return .failure(error) }
    }
    try result.get()
  }
}

/// Random numbers that a seed repeats.
struct Xorshift {
  private var state: UInt64

  init(_ seed: UInt64) { state = seed | 1 }

  mutating func next() -> UInt64 {
    state ^= state << 13
    state ^= state >> 7
    state ^= state << 17
    return state &* 0x2545_f491_4f6c_dd1d
  }

  mutating func below(_ bound: UInt64) -> UInt64 { (next() >> 11) % bound }
}
