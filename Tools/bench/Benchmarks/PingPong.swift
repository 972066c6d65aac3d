// The least that two processes need to talk: they pass a word to and fro in shared memory, and spin
// or sleep on a futex. These are the yardsticks of the channel benchmark.

internal import SluiceSystem
internal import Synchronization

enum PingPong: String, CaseIterable {
  case spin, futex

  /// The other process (see PeerCommand): answers in the memory of descriptor 3 until it is told to
  /// end.
  func runPeer() throws(Errno) {
    let words = try SharedWords(FileDescriptor(owning: 3))
    var turn: UInt32 = 1
    while true {
      let ping = unsafe receive(words.ping, turn)
      unsafe words.pong.pointee.store(ping, ordering: .sequentiallyConsistent)
      if self == .futex { unsafe Futex.wake(words.pong) }
      if ping == SharedWords.end { return }
      turn &+= 1
    }
  }

  /// Times `count` round trips with its own peer process.
  func measure(count: Int) throws(Errno) -> Samples {
    let memory = try FileDescriptor.sealedMemory("sluice-bench", byteCount: 4096)
    let peer = try MeasuredProcess(
      ["/proc/self/exe", "peer", rawValue], descriptor: memory.rawValue)
    let words = try SharedWords(memory)
    var samples = Samples(capacity: count)
    let warmUp = count / 10 + 10
    for turn in 1...UInt32(count + warmUp) {
      let start = Clock.monotonicNanoseconds()
      send(turn, words)
      _ = unsafe receive(words.pong, turn)
      if turn > warmUp { samples.append(Clock.monotonicNanoseconds() - start) }
    }
    send(SharedWords.end, words)
    peer.stop()
    return samples
  }

  private func send(_ value: UInt32, _ words: borrowing SharedWords) {
    unsafe words.ping.pointee.store(value, ordering: .sequentiallyConsistent)
    if self == .futex { unsafe Futex.wake(words.ping) }
  }

  /// Waits until the word is `turn`, or the end.
  private func receive(
    _ word: UnsafePointer<Atomic<UInt32>>, _ turn: UInt32
  ) -> UInt32 {
    while true {
      let value = unsafe word.pointee.load(ordering: .acquiring)
      if value == turn || value == SharedWords.end { return value }
      switch self {
      case .spin: spinHint()
      case .futex: unsafe Futex.wait(word, while: value, timeoutNanoseconds: 1_000_000_000)
      }
    }
  }
}

/// Two words, each on its own pair of cache lines.
@safe
private struct SharedWords: ~Copyable {
  static let end = UInt32.max
  private let mapping: Mapping

  init(_ memory: borrowing FileDescriptor) throws(Errno) {
    mapping = try Mapping(memory, byteCount: 4096)
  }

  var ping: UnsafePointer<Atomic<UInt32>> { unsafe word(at: 0) }
  var pong: UnsafePointer<Atomic<UInt32>> { unsafe word(at: 1024) }

  private func word(at offset: Int) -> UnsafePointer<Atomic<UInt32>> {
    unsafe UnsafePointer(
      (mapping.start + offset).assumingMemoryBound(to: Atomic<UInt32>.self))
  }
}
