// The editing convenience: several clients that edit one document at once lose no update.

import EngineTestSupport
import Foundation
import SluiceAutomerge
import SluiceDocuments
import SluiceSystem
import Testing

@Suite(.timeLimit(.minutes(5))) struct EditingTests {
  @Test(arguments: EnginePlace.allCases)
  func clientsThatEditOneDocumentAtOnceLoseNothing(_ place: EnginePlace) throws {
    let engine = try DocumentEngine(place)
    let failures = FutexLock<[String]>([])
    let (clientCount, editCount) = (4, 25)
    let threads = try (0..<clientCount).map { client in
      JoinableThread(
        try Thread("test-client") {
          do {
            let connection = try engine.connect()
            for index in 0..<editCount {
              // Reads what is there, and writes what rests on it.
              let receipt = try connection.edit(plan) { edit throws(AutomergeError) in
                let count = edit.view.value(at: [.key("count")])
                var number: Int64 = 0
                if case .scalar(.int(let value))? = count { number = value }
                try edit.set(.int(number + 1), forKey: "count")
                try edit.set(.int(Int64(index)), forKey: "client-\(client)")
              }
              if receipt?.isStored != true { failures.withLock { $0.append("not stored") } }
            }
          } catch {
            failures.withLock { $0.append("\(error)") }
          }
        })
    }
    for thread in threads { thread.join() }
    failures.withLock { #expect($0 == []) }
    let connection = try engine.connect()
    #expect(try connection.value(plan, path: ["count"]) == "\(clientCount * editCount)")
    for client in 0..<clientCount {
      #expect(try connection.value(plan, path: ["client-\(client)"]) == "\(editCount - 1)")
    }
    let branch = try connection.branch(plan)
    #expect(branch.sequence == Int64(clientCount * editCount) && branch.heads.count == 1)
    #expect(try connection.verify().findings == [])
  }

  @Test func anEditThatChangesNothingOrThrowsStoresNothing() throws {
    let engine = try DocumentEngine()
    let connection = try engine.connect()
    #expect(try connection.edit(plan) { _ throws(AutomergeError) in } == nil)
    let failure = #expect(throws: DocumentFailure.self) {
      try connection.edit(plan) { edit throws(AutomergeError) in
        try edit.set(.int(1), forKey: "a")
        try edit.set(.int(1), at: 5, in: .root)
      }
    }
    guard case .automerge = failure else {
      Issue.record("\(String(describing: failure))")
      return
    }
    #expect(try connection.documents() == [])
  }

  @Test func tasksHaveTheSameCalls() async throws {
    let engine = try DocumentEngine()
    let space = try await engine.open()
    let other = try await engine.open()
    #expect(space.facts.epoch == 0 && space.name == DocumentEngine.space)
    try await withThrowingTaskGroup(of: Void.self) { group in
      for (index, space) in [space, other].enumerated() {
        for key in 0..<10 {
          group.addTask {
            _ = try await space.edit(plan) { edit throws(AutomergeError) in
              try edit.set(.int(Int64(key)), forKey: "\(index)-\(key)")
            }
          }
        }
      }
      try await group.waitForAll()
    }
    let reading = try await space.read(plan)
    #expect(reading.state.sequence == 20)
    #expect(try await other.value(plan, path: ["1-9"]) == "9")
    let (document, heads) = try await space.tip(plan)
    #expect(document.heads == heads && heads == reading.state.heads)
    #expect(try await space.read(plan, at: .epoch(0)).json == "{}")
    let draft = DocumentReference("doc:plan", branch: "draft")
    #expect(try await space.createBranch(draft, from: "main", at: .sequence(3)).sequence == 3)
    #expect(try await space.branches(of: "doc:plan").count == 2)
    #expect(try await space.documents() == ["doc:plan"])
    #expect(try await space.log(plan, countMax: 5).count == 5)
    #expect(try await space.changes(plan, after: 18).count == 2)
    #expect(try await space.closeBranch(draft).isClosed)
    let empty = DocumentTransaction(writes: [.init(plan, base: nil, changes: [])])
    #expect(try await space.transact(empty).results.first?.applied == 0)
    space.close()
    await #expect(throws: DocumentFailure.closed) { try await space.documents() }
    #expect(try await other.branch(plan).sequence == 20)
  }
}
