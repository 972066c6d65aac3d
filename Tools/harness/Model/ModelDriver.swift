// Runs the steps of a model run with real sessions, and compares each answer with the model's.
//
// Successive steps of one session and channel may be under way together. The driver waits for all
// their answers before another channel's turn. So the order of the sidecar's work is fixed, and a
// run repeats exactly.

internal import CSluice
internal import SluiceChannel
internal import SluiceSystem
internal import SluiceWire

/// Confined to one thread.
@safe
final class ModelDriver {
  /// A session, and what only the harness knows of it.
  final class Client {
    let session: RawSession
    var channels: [RawChannel?]
    /// The ids of open files by place. The ids of closed files stay: the sidecar must refuse them.
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
  /// The number of right answers.
  private(set) var doneCount = 0
  /// How many of them needed no request, because the word of standing locks allowed it.
  private(set) var standingCount = 0
  private(set) var usesWindows = false
  /// The times of the answers, where the caller wants them. The driver then waits for each request.
  var latencies: LatencyHistogram?
  /// Every file id so far; in a very long run, as many as there is room for.
  var idsSeen: Set<UInt64> = []
  /// Whether other sessions may use up the channels, so that `limitReached` is a right answer.
  var toleratesLimits = false
  /// The step that was wrong.
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
        "\(socket): this is a private sidecar, whose paths are the host's; the run needs a shared one"
      )
    }
    try findRoot()
    try removeFiles()
  }

  // MARK: Before and after

  private func findRoot() throws(HarnessError) {
    let answer = try clients[0].session.ask(.fullPathname, PathFields(path: Array("x".utf8)))
    guard let path = answer.decoded(as: PathFields.self)?.path, path.last == 0x78,
      path.first == 0x2f
    else { throw .difference("fullPathname of x gives no full name of x") }
    rootPrefix = Array(path.dropLast())
  }

  /// The root's path on the host.
  var rootPath: String { String(decoding: rootPrefix.dropLast(), as: UTF8.self) }

  /// Removes every file that a run may have made, or throws.
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

  /// Ends the sessions of a failed run without a goodbye, and removes its files as far as possible.
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

  /// Runs one step; false where the step must not be sent. If the step fails, now or together with
  /// a later one, `index` names it.
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
    // Before the model's answer: the expected content stands until the next flush.
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
    // The next step needs this answer.
    let isNeeded = step.kind == .open || step.kind == .channelOpen || step.kind == .channelClose
    if isNeeded || passesDescriptor(step, expected) || latencies != nil { try flush() }
    return true
  }

  /// There is limited room for expected content.
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
      // A session that vanished leaves its WAL indexes at an unknown moment, and this decides
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

  /// Compares a place of a read window with the model. It sends nothing.
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
