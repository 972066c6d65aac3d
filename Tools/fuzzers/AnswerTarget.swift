// The client's end of a channel whose proxy answers anything. Every call must end with an answer
// that fits the request, or with the violation.

import CSluice
import SluiceSystem
import SluiceWire
import Synchronization

@testable import SluiceChannel

struct AnswerTarget: FuzzTarget {
  static let name = "answers"

  private let regions: RawRegions
  private let proxy: LyingProxy

  init() throws {
    regions = try RawRegions(RawRegions.smallShape)
    proxy = LyingProxy(regions)
    try proxy.start()
  }

  /// Calls of every operation, answered with each of the vectors' lists.
  static func seeds(from vectors: SeedVectors) -> [[UInt8]] {
    vectors.requests.filter { $0.arguments.count <= 255 }.map { request in
      let code = UInt8(SluiceWire.Operation.allCases.firstIndex(of: request.operation)!)
      return [1, 0, UInt8(request.arguments.count)] + request.arguments
        + [0, 0, 0, 0, 0, 0, 0, 0, code, 0]
    }
  }

  func run(_ input: [UInt8]) {
    var input = FuzzInput(input)
    // First the proxy's answers, in their order; then the client's requests.
    let lies = (0..<(1 + input.choice(4))).map { _ in Lie(&input) }
    regions.clear()
    let end = ClientEndBox(regions.attach())
    proxy.answer(with: lies)
    defer { proxy.pause() }
    do throws(ChannelFailure) {
      for _ in 0..<16 where !input.isEmpty { try step(end, &input) }
    } catch {
      require(error != .timedOut && error != .peerGone, "a proxy that answers is heard")
      switch error {
      case .violation:
        var later: ChannelFailure?
        do throws(ChannelFailure) { try end.settle() } catch { later = error }
        _ = later
        checkIsOver(end, error)
      default: broken("a call without arguments fails to be sent: \(error)")
      }
    }
  }

  /// A violation ends the channel: every later call reports the same violation.
  private func checkIsOver(_ end: ClientEndBox, _ failure: ChannelFailure) {
    do throws(ChannelFailure) {
      try end.call(.nothing, [], 0, replyingWith: NoFields.self)
      broken("a call after \(failure) is answered")
    } catch {
      require(error == failure, "the channel ended with \(failure), now \(error)")
    }
  }

  private func step(_ end: ClientEndBox, _ input: inout FuzzInput) throws(ChannelFailure) {
    switch input.choice(8) {
    case 6:
      try end.post(file: UInt64(input.choice(2)), Int(input.number(UInt16.self)))
    case 7:
      if input.flag() { try end.settle() }
      _ = end.changesOnly(UInt64(input.choice(2)))
      _ = end.takeFailure()
    default:
      let operations = SluiceWire.Operation.allCases
      let operation = operations[input.choice(operations.count)]
      let count = Int(input.size(ChannelShape.transferByteCountMaximum))
      let limited = min(count, ChannelShape.transferByteCountMaximum)
      let isSending = operation == .write
      try operation.reply.call(
        end, operation, isSending ? [UInt8](repeating: 1, count: limited) : [],
        isSending ? 0 : limited)
    }
  }
}

/// The answer to one request.
struct Lie: Sendable {
  var arguments: [UInt8]
  var returnCode: Int32
  var errorNumber: Int32
  var payloadByteCount: UInt32
  /// Replaces the length of the arguments, if it is set.
  var argumentByteCount: UInt32?
  /// The wrong bits of the sequence.
  var sequenceError: UInt32

  init(_ input: inout FuzzInput) {
    let isWild = input.choice(4) == 3
    arguments = input.sequence()
    let code = input.byte()
    returnCode = isWild ? Int32(bitPattern: input.number()) : Int32(code % 48)
    errorNumber = Int32(input.byte())
    payloadByteCount = input.size(ChannelShape.transferByteCountMaximum)
    argumentByteCount = isWild && input.flag() ? input.size(1152) : nil
    // Never all bits, because then the request would still be there, and the client would only
    // wait.
    sequenceError = isWild && input.choice(4) == 3 ? 1 + input.number() >> 1 : 0
  }
}

/// The proxy, on a thread of its own. It answers each request with the next of its lies. After the
/// last lie it repeats that one.
@safe
private final class LyingProxy: @unchecked Sendable {
  private let regions: RawRegions
  private let lies = FutexLock<[Lie]>([])
  /// Odd while it answers.
  private let turn = Atomic<UInt32>(0)
  private let seen = Atomic<UInt32>(0)

  init(_ regions: RawRegions) { self.regions = regions }

  func start() throws(Errno) {
    // The thread lives as long as the process.
    let thread = try Thread("lying-proxy") { self.work() }
    leak(thread)
  }

  func answer(with lies: [Lie]) {
    self.lies.withLock { $0 = lies }
    turn.wrappingAdd(1, ordering: .sequentiallyConsistent)
  }

  /// Returns when the thread has let go of the regions.
  func pause() {
    let now = turn.wrappingAdd(1, ordering: .sequentiallyConsistent).newValue
    while seen.load(ordering: .sequentiallyConsistent) != now { sluice_yield() }
  }

  private func work() {
    while true {
      let now = turn.load(ordering: .sequentiallyConsistent)
      if now & 1 == 1 { answerUntilPaused(now) }
      seen.store(turn.load(ordering: .sequentiallyConsistent), ordering: .sequentiallyConsistent)
      sluice_yield()
    }
  }

  private func answerUntilPaused(_ now: UInt32) {
    let lies = lies.withLock { $0 }
    var number: UInt32 = 1
    while turn.load(ordering: .sequentiallyConsistent) == now {
      guard regions.isPosted(number) else {
        sluice_yield()
        continue
      }
      let lie = lies[min(Int(number), lies.count) - 1]
      regions.answer(
        { slot in
          slot.return_code = lie.returnCode
          slot.error_number = lie.errorNumber
          slot.payload_byte_count = lie.payloadByteCount
          if let count = lie.argumentByteCount { slot.argument_byte_count = count }
        }, number: number, arguments: lie.arguments, lie: lie.sequenceError)
      number &+= 1
    }
  }
}

/// A thread that is never joined.
private func leak(_ thread: consuming Thread) { _ = consume thread }
