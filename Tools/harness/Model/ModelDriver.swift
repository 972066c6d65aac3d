// Makes the steps of a model run with real sessions and compares each answer with the model's.
//
// Steps of one session and channel that follow one another may be under way together; before another
// channel's turn every answer is there. So the order in which the sidecar does them is given, and a
// run is the same each time.

internal import CSluice
internal import SluiceChannel
internal import SluiceSystem
internal import SluiceWire

/// Confined to one thread.
@safe
final class ModelDriver {
  /// A session, and what the harness alone knows of it.
  final class Client {
    let session: RawSession
    var channels: [RawChannel?]
    /// The ids of open files by place; those of closed ones stay, to be refused.
    var ids = [UInt64](repeating: 0, count: ModelLimits.files)
    var windows = [WindowRegion?](repeating: nil, count: ModelLimits.files)

    init(_ session: RawSession) {
      self.session = session
      channels = [session.home] + Array(repeating: nil, count: ModelLimits.channels - 1)
    }
  }

  /// A request under way.
  private struct Awaited {
    let index: Int
    let step: ModelStep
    let file: UInt64
    let expected: Expected
  }

  let model: FileModel
  private let socket: String
  private let tag: String
  private var clients: [Client] = []
  private var awaited: [Awaited] = []
  private var current: (session: Int, channel: Int) = (0, 0)
  /// The root's own path and a slash.
  private var rootPrefix: [UInt8] = []
  /// How many requests were answered as they should be.
  private(set) var doneCount = 0
  /// How many of them were done without a request, in the word of standing locks.
  private(set) var standingCount = 0
  private(set) var usesWindows = false
  /// How long the answers took, where somebody wants to know; each request is waited for then.
  var latencies: LatencyHistogram?
  /// Every file id that was given; of a very long run as many as there is room for.
  var idsSeen: Set<UInt64> = []
  /// Whether others may take so many channels that none is left, which `limitReached` then says.
  var toleratesLimits = false
  /// Which step was wrong.
  var failedIndex: Int?

  /// Connects the sessions. `tag` begins the names of this run's files.
  init(
    socket: String, tag: String, sessions: Int, canary: ModelCanary?
  ) throws(HarnessError) {
    self.socket = socket
    self.tag = tag
    model = FileModel(sessions: sessions, canary: canary)
    for _ in 0..<sessions { clients.append(Client(try RawSession(socket))) }
    let features = clients[0].session.features
    usesWindows = features & SLUICE_FEATURE_READ_WINDOW != 0
    guard features & SLUICE_FEATURE_HOST_PATHS == 0 else {
      throw .failed(
        "\(socket): a private sidecar, whose paths are the host's; a shared one is needed")
    }
    try findRoot()
    try removeFiles()
  }

  // MARK: Before and after

  private func findRoot() throws(HarnessError) {
    let answer = try clients[0].session.ask(.fullPathname, PathFields(path: Array("x".utf8)))
    guard let path = answer.decoded(as: PathFields.self)?.path, path.last == 0x78,
      path.first == 0x2f
    else { throw .difference("fullPathname of x is no full name of x") }
    rootPrefix = Array(path.dropLast())
  }

  /// The root's path on the host.
  var rootPath: String { String(decoding: rootPrefix.dropLast(), as: UTF8.self) }

  /// Removes every file that a run may have made; there are none afterwards.
  private func removeFiles() throws(HarnessError) {
    for name in 0..<ModelNames.count {
      let request = DeleteRequest(path: path(name, spelling: 0), syncDirectory: false)
      let status = try clients[0].session.ask(.delete, request).status
      guard status == .done || status == .notFound else {
        throw .difference("\(ModelNames.text(name)) cannot be removed: \(status.wording)")
      }
    }
  }

  /// Ends all sessions, one by one, and leaves no file behind.
  func finish() throws(HarnessError) {
    try flush()
    for client in clients.dropFirst() { try client.session.leave() }
    try removeFiles()
    try clients[0].session.leave()
  }

  /// Leaves as it is, and without a word, what a failed run has left.
  func abandon() {
    awaited = []
    for client in clients { client.session.vanish() }
    if let driver = try? ModelDriver(socket: socket, tag: tag, sessions: 1, canary: nil) {
      try? driver.finish()
    }
  }

  func path(_ name: Int, spelling: Int) -> [UInt8] {
    let plain = Array((tag + ModelNames.text(name)).utf8)
    switch spelling {
    case 0: return plain
    case 1: return [0x2f] + plain
    case 2: return Array("./".utf8) + plain
    default: return rootPrefix + plain
    }
  }

  // MARK: Steps

  /// Makes one step; false where it is not to be made. `index` says which one it is if it fails, now
  /// or with a later one.
  @discardableResult
  func run(_ step: ModelStep, index: Int) throws(HarnessError) -> Bool {
    switch step.kind {
    case .leave, .vanish:
      try renew(step, index: index)
      return true
    case .look: return try look(step, index: index)
    case .openWindow where !usesWindows: return false
    case .lock, .unlock, .walLock:
      if let handle = model.handle(step), handle.stands,
        try runStanding(step, handle, index: index)
      {
        return true
      }
    default: break
    }
    let place = (session: Int(step.session), channel: model.channel(of: step))
    let client = clients[place.session]
    let byteCount = step.kind == .read || step.kind == .write ? Int(step.count) : 0
    // Before the model says what it expects, for that stands until the next flush.
    if !step.joins || place != current || mustWait(step)
      || !client.channels[place.channel]!.hasRoom(payloadByteCount: byteCount)
    {
      try flush()
    }
    current = place
    let file = client.ids[Int(step.file)]
    guard let expected = model.expect(step) else { return false }
    send(step, file, on: client.channels[place.channel]!)
    awaited.append(Awaited(index: index, step: step, file: file, expected: expected))
    // What comes next needs this answer.
    let isNeeded = step.kind == .open || step.kind == .channelOpen || step.kind == .channelClose
    if isNeeded || passesDescriptor(step, expected) || latencies != nil { try flush() }
    return true
  }

  /// Expected content has a limited place.
  private func mustWait(_ step: ModelStep) -> Bool {
    model.expectedByteCount + Int(step.count) > FileModel.expectedByteCountMaximum
  }

  private func passesDescriptor(_ step: ModelStep, _ expected: Expected) -> Bool {
    switch step.kind {
    case .openWindow: true
    case .walMap: FileModel.MapOptions(rawValue: step.options).contains(.wantsDescriptor)
    default: false
    }
  }

  /// Waits for all answers and compares them.
  func flush() throws(HarnessError) {
    if awaited.isEmpty { return }
    let client = clients[current.session]
    let channel = client.channels[current.channel]!
    let start = latencies == nil ? 0 : Clock.monotonicNanoseconds()
    do throws(HarnessError) {
      try channel.awaitAnswers(client.session.socket)
    } catch {
      failedIndex = awaited[0].index
      throw error
    }
    if latencies != nil { latencies!.add(nanoseconds: Clock.monotonicNanoseconds() - start) }
    for index in awaited.indices {
      let answer = channel.takeAnswer()
      let asked = awaited[index]
      failedIndex = asked.index
      let wrong = try take(answer, asked.step, file: asked.file, asked.expected, client)
      if let wrong { throw .difference("\(asked.step.text): \(wrong)") }
    }
    failedIndex = nil
    doneCount += awaited.count
    awaited.removeAll(keepingCapacity: true)
    model.expectedByteCount = 0
  }

  // MARK: Sessions

  private func renew(_ step: ModelStep, index: Int) throws(HarnessError) {
    try flush()
    failedIndex = index
    let place = Int(step.session)
    let isUnheard = step.kind == .vanish
    if isUnheard {
      // When exactly a session that vanished leaves its indexes nobody can tell, and it decides
      // whether the next user finds them empty.
      for file in 0..<ModelLimits.files where model.sessions[place].handles[file] != nil {
        var unmap = ModelStep(.walUnmap)
        (unmap.session, unmap.file) = (step.session, UInt8(file))
        try run(unmap, index: index)
      }
      try flush()
      clients[place].session.vanish()
    } else {
      try clients[place].session.leave()
    }
    model.end(place, unheard: isUnheard)
    clients[place] = Client(try RawSession(socket))
    failedIndex = nil
    doneCount += 1
  }

  /// Compares a place of a read window with the model; nothing is sent.
  private func look(_ step: ModelStep, index: Int) throws(HarnessError) -> Bool {
    let place = Int(step.session)
    guard let window = clients[place].windows[Int(step.file)], let handle = model.handle(step)
    else { return false }
    try flush()
    failedIndex = index
    let byteCount = handle.file.byteCount
    if let known = window.knownByteCount, known != Int64(byteCount) {
      throw .difference("\(step.text): the window says size \(known), not \(byteCount)")
    }
    let start =
      Int(clamping: step.at) / WindowRegion.granuleByteCount * WindowRegion.granuleByteCount
    let count = min(WindowRegion.granuleByteCount, byteCount - start)
    if count > 0, let content = unsafe window.content(at: Int64(start), byteCount: count),
      unsafe memcmp(content, handle.file.content + start, count) != 0
    {
      throw .difference("\(step.text): the window has other content at \(start)")
    }
    failedIndex = nil
    doneCount += 1
    return true
  }

  func countStanding() {
    doneCount += 1
    standingCount += 1
  }

  func client(_ session: Int) -> Client { clients[session] }
}
