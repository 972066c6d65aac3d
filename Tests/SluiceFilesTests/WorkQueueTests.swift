// The queue between those who must not block and those who may.

import Foundation
import SluiceSystem
import Testing

@Suite(.timeLimit(.minutes(2))) struct WorkQueueTests {
  @Test func everyElementIsTakenOnce() throws {
    let queue = WorkQueue<Int>()
    let taken = FutexLock<[Int]>([])
    let count = 4000
    let takers = DispatchGroup()
    for _ in 0..<3 {
      takers.enter()
      Foundation.Thread.detachNewThread {
        while let element = queue.next() { taken.withLock { $0.append(element) } }
        takers.leave()
      }
    }
    DispatchQueue.concurrentPerform(iterations: 4) { thread in
      for index in 0..<(count / 4) {
        queue.add(thread * (count / 4) + index)
        // Let the takers fall asleep at times.
        if index % 100 == 0 { Clock.sleep(nanoseconds: 300_000) }
      }
    }
    while taken.withLock({ $0.count }) < count { Clock.sleep(nanoseconds: 1_000_000) }
    queue.close()
    takers.wait()
    #expect(taken.withLock { $0.sorted() } == Array(0..<count))
  }

  @Test func aClosedQueueSendsEverybodyAway() {
    let queue = WorkQueue<Int>()
    #expect(queue.add(1) == 1)
    #expect(queue.add(2) == 2)
    #expect(queue.next() == 1)
    queue.close()
    #expect(queue.next() == nil)
  }

  @Test func takersThatWaitAreCounted() {
    let queue = WorkQueue<Int>()
    let isTaken = DispatchSemaphore(value: 0)
    Foundation.Thread.detachNewThread {
      while queue.next() != nil { isTaken.signal() }
      isTaken.signal()
    }
    var hasWaited = false
    for _ in 0..<1000 where !hasWaited {
      Clock.sleep(nanoseconds: 5_000_000)
      hasWaited = queue.add(1) == 0
      isTaken.wait()
    }
    #expect(hasWaited)
    queue.close()
    isTaken.wait()
  }
}
