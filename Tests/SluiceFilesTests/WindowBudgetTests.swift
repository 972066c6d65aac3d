// How much memory the read windows may take together.

import SluiceChannel
import SluiceSystem
import Synchronization
import Testing

@testable import SluiceFiles

/// Says what a test wants.
private final class FakeGauge: Sendable {
  let surplus: Atomic<Int64>
  let looks = Atomic<Int>(0)
  init(_ surplus: Int64) { self.surplus = Atomic(surplus) }

  func look() -> Int64 {
    looks.wrappingAdd(1, ordering: .relaxed)
    return surplus.load(ordering: .relaxed)
  }
}

private let mebibyte = 1 << 20
private let granule = WindowRegion.granuleByteCount

struct WindowBudgetTests {
  private func taken(_ budget: WindowBudget, atMost count: Int) -> Int {
    (0..<count).count { _ in budget.take() }
  }

  @Test func itGrowsWithUseWhileThereIsRoom() {
    let gauge = FakeGauge(Int64(64 * mebibyte))
    let budget = WindowBudget(byteCountMaximum: 16 * mebibyte, surplus: { gauge.look() })
    #expect(taken(budget, atMost: 256) == 256, "the rest, without a look")
    #expect(gauge.looks.load(ordering: .relaxed) == 0)
    #expect(taken(budget, atMost: 1 << 20) == 15 * 256, "and the maximum")
    let looks = gauge.looks.load(ordering: .relaxed)
    #expect(looks > 2 && looks < 64, "\(looks)")
  }

  @Test func withoutRoomItHasARestAndNoMore() {
    for surplus in [Int64.min, -1, 0, 200_000] {
      let gauge = FakeGauge(surplus)
      let budget = WindowBudget(byteCountMaximum: 16 * mebibyte, surplus: { gauge.look() })
      #expect(taken(budget, atMost: 10_000) == 256)
      #expect(gauge.looks.load(ordering: .relaxed) < 20, "not one for each refusal")
    }
    #expect(taken(WindowBudget(byteCountMaximum: 0), atMost: 10) == 0)
    #expect(taken(WindowBudget(byteCountMaximum: 10 * granule), atMost: 100) == 10)
  }

  /// Each looks at what is left for all, and takes a part of it.
  @Test func manyWithOneRestDoNotExceedItTogether() {
    let left = Atomic<Int64>(Int64(40 * mebibyte))
    let budgets = (0..<16).map { _ in
      WindowBudget(
        byteCountMaximum: 24 * mebibyte, surplus: { left.load(ordering: .relaxed) })
    }
    var isFull = false
    while !isFull {
      isFull = true
      for budget in budgets where budget.take() {
        left.wrappingSubtract(Int64(granule), ordering: .relaxed)
        isFull = false
      }
    }
    // A step of each at the most, which the reserve bears.
    #expect(left.load(ordering: .relaxed) > -16 * 300_000)
  }

  @Test func whatIsMissingIsInExcess() {
    let gauge = FakeGauge(Int64(64 * mebibyte))
    let budget = WindowBudget(byteCountMaximum: 16 * mebibyte, surplus: { gauge.look() })
    #expect(taken(budget, atMost: 8 * 256) == 8 * 256)
    #expect(budget.excess().byteCount == 0)
    gauge.surplus.store(Int64(-3 * mebibyte), ordering: .relaxed)
    #expect(budget.excess().byteCount == 3 * mebibyte)
    gauge.surplus.store(.min, ordering: .relaxed)
    #expect(budget.excess().byteCount == 7 * mebibyte, "all but the rest")
    budget.giveBack(7 * 256)
    budget.wasLowered()
    #expect(budget.excess().byteCount == 0)
    gauge.surplus.store(Int64(64 * mebibyte), ordering: .relaxed)
    #expect(taken(budget, atMost: 100) == 0, "not at once")
  }

  @Test func theMaximumIsAShareOfWhatThereIs() {
    let share = windowByteCountMaximum(nil, groupLimit: nil)
    #expect(share <= physicalMemoryByteCount() / 4 && share <= 4 << 30)
    #expect(windowByteCountMaximum(nil, groupLimit: 96 << 20) == 24 << 20)
    #expect(windowByteCountMaximum(nil, groupLimit: 0) == 0)
    #expect(windowByteCountMaximum(500 << 20, groupLimit: nil) == 500 << 20)
    #expect(windowByteCountMaximum(500 << 20, groupLimit: 96 << 20) == 84 << 20)
    #expect(windowByteCountMaximum(5, groupLimit: 96 << 20) == 5)
    #expect(windowByteCountMaximum(5, groupLimit: 1000) == 0)
  }
}
