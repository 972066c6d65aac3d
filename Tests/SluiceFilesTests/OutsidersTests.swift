// The list of those that wait for a lease, without leases.

import Testing

@testable import SluiceFiles

struct OutsidersTests {
  @Test func whatIsOverAtTheSecondAskingIsNotForgotten() {
    var outsiders = Outsiders<Int>()
    for file in 0..<10 {
      // Over from the second or third time on that anybody asks.
      var askedCount = 0
      outsiders.append(
        [file],
        until: {
          askedCount += 1
          return askedCount > 1 + file % 2
        }, deadline: 1000)
    }
    #expect(outsiders.takeDue(now: 0).isEmpty)
    #expect(outsiders.takeDue(now: 0) == [0, 2, 4, 6, 8])
    #expect(outsiders.takeDue(now: 0) == [1, 3, 5, 7, 9])
    #expect(outsiders.nextDeadline == nil)
  }

  @Test func deadlineEndsEachWait() {
    var outsiders = Outsiders<Int>()
    outsiders.append([1, 2], until: { false }, deadline: 20)
    outsiders.append([3], until: { false }, deadline: 10)
    #expect(outsiders.nextDeadline == 10)
    #expect(outsiders.takeDue(now: 9).isEmpty)
    #expect(outsiders.takeDue(now: 10) == [3])
    #expect(outsiders.nextDeadline == 20)
    #expect(outsiders.takeDue(now: 30) == [1, 2])
    #expect(outsiders.takeDue(now: 30).isEmpty)
  }
}
