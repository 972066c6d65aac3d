// The words that a hostile session writes, and their places: every field of both regions, also the
// proxy's own fields. Numbers are mostly limits of some kind: zero, all ones, sizes of the rings
// and their neighbours, the request's own number.

internal import CSluice
internal import SluiceSystem
internal import Synchronization
internal import ToolSupport

/// The part of the memory that one life of the hostile session spoils. The sidecar soon stops
/// listening to a session that spoils everything.
enum HostileAim: Int, CaseIterable {
  case slots, arguments, payload, lines, everything
}

@safe
struct HostileWords {
  var random: SplitMix64

  init(seed: UInt64) { random = SplitMix64(seed: seed) }

  /// A number that a careless reader may trip over.
  mutating func number(near request: UInt32) -> UInt32 {
    switch random.below(12) {
    case 0: return 0
    case 1: return UInt32.max
    case 2: return UInt32(1) << UInt32(random.below(32))
    case 3: return (UInt32(1) << UInt32(random.below(32))) &- 1
    case 4: return request &+ UInt32(random.below(40))
    case 5: return request &- UInt32(random.below(40))
    case 6: return [27, 28, 29, 64, 1151, 1152, 1153, 65_535, 65_536, 65_537][random.below(10)]
    case 7: return [262_143, 262_144, 196_608, 196_609, 131_072][random.below(5)]
    case 8, 9: return UInt32(random.below(64))
    default: return UInt32(truncatingIfNeeded: random.next())
    }
  }

  /// A longer number, for sizes and file ids.
  mutating func longNumber() -> UInt64 {
    switch random.below(6) {
    case 0: return UInt64(random.below(1 << 20))
    case 1: return UInt64(Int64.max) - UInt64(random.below(70_000))
    case 2: return UInt64(1) << UInt64(random.below(64))
    case 3: return 0x4000_0000 + UInt64(random.below(600))
    default: return random.next()
    }
  }

  /// Spoils `count` words of a channel, one store each, while the proxy reads them. `next` is the
  /// request that the proxy waits for.
  mutating func scribble(on channel: RawChannel, aim: HostileAim, next: UInt32, count: Int) {
    for _ in 0..<count {
      let value = number(near: next)
      let place = unsafe place(channel, aim, next)
      // An atomic store: on every machine that Swift runs on here it is the same as a volatile
      // store, which the language does not have.
      unsafe UnsafePointer<Atomic<UInt32>>(
        UnsafeRawPointer(place).assumingMemoryBound(to: Atomic<UInt32>.self)
      ).pointee.store(value, ordering: .relaxed)
    }
  }

  private mutating func place(
    _ channel: RawChannel, _ aim: HostileAim, _ next: UInt32
  ) -> UnsafeMutableRawPointer {
    let control = unsafe channel.controlBytes
    let io = unsafe channel.ioBytes
    func word(
      _ region: UnsafeMutableRawBufferPointer, _ start: Int, _ byteCount: Int
    ) -> UnsafeMutableRawPointer {
      unsafe region.baseAddress! + start + random.below(byteCount / 4) * 4
    }
    let slots = Int(channel.facts.slots_offset)
    switch aim {
    case .slots:
      // The slots around the next one: the proxy looks at them.
      let slot = unsafe UnsafeMutableRawPointer(
        channel.slot(next &+ UInt32(random.below(3)) &- 1))
      var field = random.below(16)
      // With a wrong sequence, the proxy looks at nothing else in the slot.
      if field == 1, !random.once(in: 16) { field = 0 }
      return unsafe slot + field * 4
    case .arguments:
      let area = unsafe channel.area(next &+ UInt32(random.below(3)) &- 1)
      return unsafe area.baseAddress! + random.below(min(64, area.count) / 4) * 4
    case .payload:
      return unsafe word(
        io, Int(channel.facts.payload_offset), Int(channel.facts.payload_byte_count))
    // The client's line, the proxy's line and the line of standing locks.
    case .lines: return unsafe word(control, 128, 384)
    case .everything:
      switch random.below(4) {
      case 0: return unsafe word(control, 0, control.count)
      case 1: return unsafe word(control, 0, slots)
      case 2: return unsafe word(io, 0, io.count)
      default: return unsafe word(control, slots, control.count - slots)
      }
    }
  }
}
