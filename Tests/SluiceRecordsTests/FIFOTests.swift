// The line of jobs against a plain array.

import TestSupport
import Testing

@testable import SluiceRecords

@Suite struct FIFOTests {
  @Test func itHoldsWhatAnArrayHolds() {
    var random = SeededRandom(for: "itHoldsWhatAnArrayHolds")
    var line = FIFO<Int>()
    var plain: [Int] = []
    for step in 0..<100_000 {
      switch Int.random(in: 0...20, using: &random) {
      case 0:
        let others = (0..<Int.random(in: 0...3, using: &random)).map { -step - $0 }
        line.prepend(others)
        plain = others + plain
      case 1 where step % 50 == 0:
        #expect(line.removeAll { $0 % 3 == 0 } == plain.filter { $0 % 3 == 0 })
        plain.removeAll { $0 % 3 == 0 }
      // Grows to some thousands, and shrinks again.
      case 2...(step / 20_000 % 2 == 0 ? 12 : 8):
        line.append(step)
        plain.append(step)
      default:
        let popped = line.popFirst()
        #expect(popped == (plain.isEmpty ? nil : plain.removeFirst()))
      }
      #expect(line.count == plain.count && line.first == plain.first)
      if let index = plain.indices.randomElement(using: &random) {
        #expect(line[index] == plain[index])
      }
    }
  }
}
