// The promises of a WAL's syncs, by random steps against the plain rules: a list of all writes, and of
// the writes that each sync covers.

import SluiceSystem
import TestSupport
import Testing

@testable import SluiceFiles

struct PromisedSyncsTests {
  /// What was written, and when each part became durable.
  private struct Plain {
    struct Write {
      var range: Range<Int64>
      /// The sync that has to cover it: one that began after it.
      var number: UInt64
    }
    var writes: [Write] = []
    var begun: UInt64 = 0
    var kept: UInt64 = 0
    var isUnderWay = false
    var promised: [UInt64] = []
    /// The writes since the last promise; and those of each transaction that was promised, with the
    /// promise.
    var transaction: [Range<Int64>] = []
    var transactions: [(writes: [Range<Int64>], promise: UInt64)] = []
    var failure: Errno?
    /// The last sync that failed without breaking a promise, and whether a commit may not know of it.
    var failedNumber: UInt64 = 0
    var isUntold = false

    var isWanted: Bool { failure == nil && promised.contains { $0 > begun } }

    /// The sync that keeps a promise made now.
    var next: UInt64 {
      writes.map(\.number).max() ?? (isUnderWay || failure != nil ? begun : kept)
    }

    /// Whether this part may be shown: it belongs to no transaction whose promise is open, and is not
    /// behind one, either.
    func mayBeShown(_ range: Range<Int64>) -> Bool {
      !transactions.contains { transaction in
        transaction.promise > kept
          && transaction.writes.contains { $0.lowerBound < range.upperBound }
      }
    }
  }

  @Test func randomStepsAgreeWithTheRules() throws {
    var random = SeededRandom(for: "PromisedSyncsTests.randomStepsAgreeWithTheRules")
    var seen: [String: Int] = [:]
    for _ in 0..<400 {
      var syncs = PromisedSyncs<Int>()
      var plain = Plain()
      var end: Int64 = 0
      var waiting: [Int] = []
      for step in 0..<100 {
        switch Int.random(in: 0..<10, using: &random) {
        case 0..<4:
          // Frames follow one another; now and then the WAL begins anew.
          if Int.random(in: 0..<30, using: &random) == 0, syncs.isSettled { end = 0 }
          let range = end..<end + Int64.random(in: 1...5000, using: &random)
          end = range.upperBound
          syncs.wrote(range)
          if range.lowerBound == 0 { plain.isUntold = false }
          plain.writes.append(.init(range: range, number: plain.begun + 1))
          plain.transaction.append(range)
        case 4..<6:
          let number = syncs.promise(to: UInt64.random(in: 1...4, using: &random))
          #expect(number == plain.next)
          plain.promised.append(number)
          plain.transactions.append((plain.transaction, number))
          plain.transaction = []
        case 6:
          syncs.wait(step)
          waiting.append(step)
        case 7..<9 where !plain.isUnderWay:
          let isFinal = Int.random(in: 0..<8, using: &random) == 0
          if plain.isUntold, isFinal || plain.isWanted {
            plain.failure = .inputOutput
            seen["told the next commit", default: 0] += 1
          }
          do throws(Errno) {
            try syncs.begin(isFinal: isFinal)
            #expect(plain.failure == nil)
            plain.begun += 1
            plain.isUnderWay = true
          } catch {
            #expect(error == plain.failure)
            seen["refused", default: 0] += 1
          }
        default:
          guard plain.isUnderWay else { continue }
          let fails = Int.random(in: 0..<12, using: &random) == 0
          let isFinal = Int.random(in: 0..<4, using: &random) == 0
          let isPromised = isFinal || plain.promised.contains { $0 > plain.kept }
          #expect(syncs.end(fails ? .inputOutput : nil, isFinal: isFinal) == waiting)
          waiting = []
          plain.isUnderWay = false
          if !fails {
            plain.kept = plain.begun
            plain.writes.removeAll { $0.number <= plain.kept }
          } else if isPromised {
            plain.failure = .inputOutput
            seen["broken", default: 0] += 1
          } else {
            // Whoever asked for the sync is told. The next one has to cover its writes too.
            for index in plain.writes.indices where plain.writes[index].number <= plain.begun {
              plain.writes[index].number = plain.begun + 1
              plain.isUntold = true
            }
            plain.failedNumber = plain.begun
            seen["failed without a promise", default: 0] += 1
          }
        }
        let asked = UInt64.random(in: 1...plain.begun + 1, using: &random)
        let hasFailed = asked <= plain.failedNumber
        do throws(Errno) {
          let isDone = try syncs.isDone(asked, isFinal: false)
          #expect(plain.failure == nil && !hasFailed)
          #expect(isDone == (asked <= plain.kept))
          seen[isDone ? "done" : "not done", default: 0] += 1
        } catch {
          #expect(plain.failure != nil || hasFailed)
        }
        for number in plain.promised {
          let fate = syncs.fate(of: number)
          if number <= plain.kept {
            #expect(fate == .kept)
          } else {
            #expect(fate == plain.failure.map { .broken($0) } ?? .open)
          }
        }
        #expect(syncs.isSettled == plain.promised.allSatisfy { $0 <= plain.kept })
        let from = Int64.random(in: 0...max(1, end), using: &random)
        let part = from..<from + Int64.random(in: 1...4096, using: &random)
        let isShown = syncs.syncAwaited(by: part) == nil
        // It may wait longer than needed, and never shows what a power cut may take back.
        if isShown { #expect(plain.mayBeShown(part), "\(part)") }
        if !plain.promised.contains(where: { $0 > plain.kept }) { #expect(isShown) }
        seen[isShown ? "shown" : "hidden", default: 0] += 1
        // What the read window shows could be read through the channel as well.
        if part.upperBound <= syncs.shownByteCount { #expect(isShown) }
        if syncs.isSettled { #expect(syncs.shownByteCount == .max) }
        // Nothing that is durable is cut off.
        let undurable = plain.writes.filter { $0.number > plain.kept }.map(\.range.lowerBound).min()
        #expect(syncs.durableByteCount <= undurable ?? .max)
        if undurable == nil { #expect(syncs.durableByteCount == .max) }
      }
    }
    for wanted in [
      "refused", "broken", "failed without a promise", "told the next commit", "shown", "hidden",
      "done", "not done",
    ] {
      #expect(seen[wanted, default: 0] > 20, "chance has not tried it: \(wanted), \(seen)")
    }
  }

  @Test func aSyncKeepsWhatWasPromisedBeforeItBegan() throws {
    var syncs = PromisedSyncs<Int>()
    syncs.wrote(0..<100)
    let first = syncs.promise(to: 1)
    try syncs.begin()
    syncs.wrote(100..<200)
    let second = syncs.promise(to: 2)
    #expect(syncs.syncAwaited(by: 0..<50) == first)
    #expect(syncs.syncAwaited(by: 150..<160) == second)
    _ = syncs.end(nil)
    #expect(syncs.fate(of: first) == .kept)
    #expect(syncs.fate(of: second) == .open)
    #expect(syncs.syncAwaited(by: 0..<50) == nil)
    #expect(syncs.isWanted)
    try syncs.begin()
    _ = syncs.end(.inputOutput)
    #expect(syncs.fate(of: first) == .kept)
    #expect(syncs.fate(of: second) == .broken(.inputOutput))
    #expect(syncs.durableByteCount == 100)
    #expect(!syncs.isWanted)
    #expect(throws: Errno.inputOutput) { try syncs.begin() }
  }

  /// Its first frames were made durable by another's sync.
  @Test func aTransactionIsShownWhenItsLastFrameIsDurable() throws {
    var syncs = PromisedSyncs<Int>()
    syncs.wrote(0..<100)
    try syncs.begin()
    syncs.wrote(100..<200)
    _ = syncs.end(nil)
    let number = syncs.promise(to: 1)
    #expect(syncs.syncAwaited(by: 0..<50) == number)
    try syncs.begin()
    #expect(syncs.syncAwaited(by: 0..<50) == number)
    _ = syncs.end(nil)
    #expect(syncs.syncAwaited(by: 0..<200) == nil)
  }

  /// A sync waits a little for all that committed lately, however often each of them has committed.
  @Test func aGroupIsWholeWithAllThatCommittedLately() throws {
    var syncs = PromisedSyncs<Int>()
    var end: Int64 = 0
    func commit(_ writers: UInt64...) {
      for writer in writers {
        syncs.wrote(end..<end + 100)
        end += 100
        _ = syncs.promise(to: writer)
      }
    }
    func sync(_ meanwhile: UInt64...) throws {
      try syncs.begin()
      for writer in meanwhile { commit(writer) }
      _ = syncs.end(nil)
    }
    commit(1, 2)
    #expect(syncs.isGroupWhole, "nobody else is known")
    try sync(3, 3)
    #expect(!syncs.isGroupWhole, "1 and 2 may come again")
    commit(1)
    #expect(!syncs.isGroupWhole)
    commit(2)
    #expect(syncs.isGroupWhole)
    try sync()
    commit(1)
    try sync()
    commit(1)
    #expect(!syncs.isGroupWhole, "2 and 3 were there before the last sync")
    try sync()
    commit(1)
    #expect(syncs.isGroupWhole, "2 and 3 are gone")
    try sync()
    commit(1, 4)
    try sync()
    commit(1)
    #expect(!syncs.isGroupWhole)
    syncs.press(syncs.begunCount)
    #expect(!syncs.isGroupWhole, "that sync has begun")
    syncs.press(syncs.begunCount + 1)
    #expect(syncs.isGroupWhole, "a reader waits")
  }

  /// The kernel says once that it could not write, and drops what it could not write. A checkpoint's sync
  /// heard it; the frames of a commit were among what was dropped.
  @Test func whatACheckpointWasToldFailsTheNextCommit() throws {
    var syncs = PromisedSyncs<Int>()
    syncs.wrote(32..<100)
    let wanted = syncs.nextNumber
    try syncs.begin()
    _ = syncs.end(.inputOutput)
    #expect(throws: Errno.inputOutput) { _ = try syncs.isDone(wanted, isFinal: false) }
    var direct = syncs
    #expect(throws: Errno.inputOutput) { try direct.begin(isFinal: true) }
    #expect(throws: Errno.inputOutput, "for ever") { try direct.begin() }
    var promised = syncs
    let number = promised.promise(to: 1)
    #expect(throws: Errno.inputOutput) { try promised.begin() }
    #expect(promised.fate(of: number) == .broken(.inputOutput))
    // All was copied in spite of that, and the WAL begins anew.
    syncs.wrote(0..<32)
    try syncs.begin(isFinal: true)
  }

  /// Whoever waited for the sync under way need not have one of its own.
  @Test func aSyncThatBeginsLaterServesThoseThatAskedBefore() throws {
    var syncs = PromisedSyncs<Int>()
    syncs.wrote(0..<100)
    try syncs.begin()
    syncs.wrote(100..<200)
    let number = syncs.nextNumber
    _ = syncs.end(nil)
    #expect(try !syncs.isDone(number, isFinal: true), "it began before the write")
    try syncs.begin()
    _ = syncs.end(nil)
    #expect(try syncs.isDone(number, isFinal: true))
  }

  @Test func nobodyWaitsForAWriterThatCheckpoints() throws {
    var syncs = PromisedSyncs<Int>()
    for writer in [1, 2, 3] as [UInt64] {
      syncs.wrote(0..<100)
      _ = syncs.promise(to: writer)
    }
    try syncs.begin()
    _ = syncs.end(nil)
    for writer in [1, 2] as [UInt64] {
      syncs.wrote(0..<100)
      _ = syncs.promise(to: writer)
    }
    #expect(!syncs.isGroupWhole)
    syncs.leave(3)
    #expect(syncs.isGroupWhole)
  }

  /// A commit with synchronous=NORMAL follows a promised one. Its pages may show that one.
  @Test func whatIsBehindAPromiseIsHidden() throws {
    var syncs = PromisedSyncs<Int>()
    syncs.wrote(0..<100)
    syncs.wrote(100..<200)
    let number = syncs.promise(to: 1)
    syncs.wrote(200..<300)
    #expect(syncs.syncAwaited(by: 250..<260) == number)
    try syncs.begin()
    syncs.wrote(300..<400)
    #expect(syncs.syncAwaited(by: 350..<360) == number)
    _ = syncs.end(nil)
    #expect(syncs.syncAwaited(by: 200..<400) == nil)
  }

  @Test func whatNobodyWasPromisedIsShown() throws {
    var syncs = PromisedSyncs<Int>()
    syncs.wrote(0..<100)
    #expect(syncs.syncAwaited(by: 0..<50) == nil)
    try syncs.begin()
    #expect(syncs.syncAwaited(by: 0..<50) == nil, "a checkpoint's sync is under way")
  }
}
