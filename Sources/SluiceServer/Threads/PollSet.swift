// The channels of one reactor, in three groups by how soon the reactor looks at them.
//
//   hot      had a request lately: looked at in every round
//   cold     had none for a while: some of them are looked at now and then. The sleep of a cold
//            channel stays announced, so that its client wakes the reactor whenever that sleeps.
//   at rest  its oldest request waits for something other than its turn: not looked at
//
// A look is one load of the client's word and touches nothing else. A hundred idle channels cost a
// hundred cache lines now and then, and no reference counts.
//
// Confined to the reactor. The sessions own the channels: a channel is removed here before its
// session lets it go.

internal import SluiceChannel

@safe
struct PollSet: ~Copyable {
  @safe
  private struct Entry {
    let channel: Unmanaged<ServedChannel>
    var watch: RequestWatch
    /// Whether it had a request since the last `cool`.
    var isUsed: Bool

    init(_ channel: ServedChannel) {
      unsafe self.channel = Unmanaged.passUnretained(channel)
      watch = channel.end.watch
      isUsed = true
    }
  }

  private let hot: UnsafeMutablePointer<Entry>
  private var hotCount = 0
  private let cold: UnsafeMutablePointer<Entry>
  private var coldCount = 0
  /// Where the next look at the cold ones begins.
  private var coldIndex = 0

  init() {
    unsafe hot = .allocate(capacity: ChannelSleep.channelCountMaximum)
    unsafe cold = .allocate(capacity: ChannelSleep.channelCountMaximum)
  }

  deinit {
    unsafe hot.deallocate()
    unsafe cold.deallocate()
  }

  // MARK: Looking

  /// The next hot channel from `index` on that has a request; `index` moves behind it.
  @inline(__always)
  func nextHot(_ index: inout Int) -> ServedChannel? {
    while index < hotCount {
      let entry = unsafe hot + index
      index += 1
      if unsafe entry.pointee.watch.hasRequest {
        return unsafe entry.pointee.channel.takeUnretainedValue()
      }
    }
    return nil
  }

  /// Whether a hot channel has a request.
  @inline(__always)
  var hasRequest: Bool {
    for index in 0..<hotCount where unsafe hot[index].watch.hasRequest { return true }
    return false
  }

  /// To be called after some of a channel's requests were done. `index` is where `nextHot` left it.
  @inline(__always)
  mutating func served(_ channel: ServedChannel, _ index: Int) {
    // Where the groups have changed meanwhile, the channel is looked at once too often.
    let entry = unsafe hot + (index - 1)
    guard index <= hotCount, unsafe entry.pointee.channel.toOpaque() == address(channel) else {
      return
    }
    unsafe entry.pointee.watch = channel.end.watch
    unsafe entry.pointee.isUsed = true
  }

  /// Looks at the next `count` cold channels and makes those hot that have requests; whether any
  /// has.
  mutating func lookAtCold(_ count: Int) -> Bool {
    var found = false
    for _ in 0..<min(count, coldCount) {
      if coldIndex >= coldCount { coldIndex = 0 }
      if coldCount > 0, unsafe cold[coldIndex].watch.hasRequest {
        heat(coldIndex)
        found = true
      } else {
        coldIndex += 1
      }
    }
    return found
  }

  mutating func lookAtAllCold() -> Bool { lookAtCold(coldCount) }

  // MARK: Groups

  /// Takes up a channel that is new or was at rest. It is hot now.
  mutating func add(_ channel: ServedChannel) {
    precondition(hotCount + coldCount < ChannelSleep.channelCountMaximum, "rooms are counted")
    unsafe (hot + hotCount).initialize(to: Entry(channel))
    hotCount += 1
    channel.group = .hot
  }

  /// Forgets a channel, or lets it rest.
  mutating func remove(_ channel: ServedChannel) {
    switch channel.group {
    case .hot:
      hotCount -= 1
      unsafe hot[index(of: channel, in: hot, hotCount + 1)] = hot[hotCount]
    case .cold:
      coldCount -= 1
      unsafe cold[index(of: channel, in: cold, coldCount + 1)] = cold[coldCount]
      channel.end.endSleep()
    case .atRest: break
    }
    channel.group = .atRest
  }

  /// Makes those cold that had no request since the last time.
  mutating func cool() {
    var index = 0
    while index < hotCount {
      if unsafe hot[index].isUsed {
        unsafe hot[index].isUsed = false
        index += 1
        continue
      }
      let channel = unsafe hot[index].channel.takeUnretainedValue()
      channel.end.announceSleep()
      channel.group = .cold
      unsafe (cold + coldCount).initialize(to: hot[index])
      coldCount += 1
      hotCount -= 1
      unsafe hot[index] = unsafe hot[hotCount]
    }
  }

  private mutating func heat(_ index: Int) {
    let channel = unsafe cold[index].channel.takeUnretainedValue()
    coldCount -= 1
    unsafe cold[index] = unsafe cold[coldCount]
    channel.end.endSleep()
    add(channel)
  }

  private func index(
    of channel: ServedChannel, in entries: UnsafeMutablePointer<Entry>, _ count: Int
  ) -> Int {
    for index in 0..<count where unsafe entries[index].channel.toOpaque() == address(channel) {
      return index
    }
    preconditionFailure("a channel is where it says")
  }

  private func address(_ channel: ServedChannel) -> UnsafeMutableRawPointer {
    unsafe Unmanaged.passUnretained(channel).toOpaque()
  }

  // MARK: Sleeping

  /// Makes `sleep` wait for requests on every channel that is not at rest; false when one has come.
  func prepare(_ sleep: inout ChannelSleep) -> Bool {
    for index in 0..<hotCount {
      unsafe hot[index].channel.takeUnretainedValue().end.announceSleep()
      guard unsafe sleep.add(hot[index].watch) else { return false }
    }
    for index in 0..<coldCount {
      guard unsafe sleep.add(cold[index].watch) else { return false }
    }
    return true
  }

  func endSleep() {
    for index in 0..<hotCount { unsafe hot[index].channel.takeUnretainedValue().end.endSleep() }
  }
}
