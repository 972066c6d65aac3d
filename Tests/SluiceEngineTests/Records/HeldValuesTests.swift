// A value is not loaded and erased at a time.

import Testing

@testable import SluiceEngine

@Suite struct HeldValuesTests {
  private let values = HeldValues()

  @Test func aLoadedValueIsNotErased() throws {
    var hold = values.holdForLoad([1], snapshotAt: values.time)
    let second = values.holdForLoad([1], snapshotAt: values.time)
    #expect(hold != nil && second != nil)
    #expect(!values.beginErasure([1]))
    #expect(values.beginErasure([2]))
    values.endErasure([2])
    hold = nil
    #expect(!values.beginErasure([1]))
    withExtendedLifetime(second) {}
  }

  @Test func aValueIsErasedWhenItsLastLoadIsOver() {
    var hold = values.holdForLoad([1], snapshotAt: values.time)
    #expect(hold != nil)
    hold = nil
    #expect(values.beginErasure([1]))
  }

  @Test func noLoadBeginsWhileItsValueIsErased() {
    #expect(values.beginErasure([1]))
    #expect(values.holdForLoad([1], snapshotAt: values.time) == nil)
    #expect(values.holdForLoad([2], snapshotAt: values.time) != nil)
    values.endErasure([1])
    #expect(values.holdForLoad([1], snapshotAt: values.time) != nil)
  }

  @Test func aSnapshotFromBeforeAnErasureIsNotLoadedFrom() {
    let before = values.time
    #expect(values.beginErasure([1]))
    let meanwhile = values.time
    values.endErasure([1])
    #expect(values.holdForLoad([1], snapshotAt: before) == nil)
    #expect(values.holdForLoad([1], snapshotAt: meanwhile) == nil)
    #expect(values.holdForLoad([2], snapshotAt: before) != nil)
    #expect(values.holdForLoad([1], snapshotAt: values.time) != nil)
  }

  @Test func severalErasersOfAValueAreCounted() {
    #expect(values.beginErasure([1]))
    #expect(values.beginErasure([1]))
    values.endErasure([1])
    #expect(values.holdForLoad([1], snapshotAt: values.time) == nil)
    values.endErasure([1])
    #expect(values.holdForLoad([1], snapshotAt: values.time) != nil)
  }

  @Test func manyErasuresAreForgottenAndNoneIsMissed() {
    let before = values.time
    for value in 0..<5000 {
      let id = [UInt8(value & 255), UInt8(value >> 8)]
      #expect(values.beginErasure(id))
      values.endErasure(id)
    }
    #expect(values.holdForLoad([0, 0], snapshotAt: before) == nil)
    #expect(values.holdForLoad([0, 0], snapshotAt: values.time) != nil)
  }
}
