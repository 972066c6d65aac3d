// Chooses the steps of a run at random, from one seed and from the model's state, so that most
// steps find something to do. Steps come in bursts of one session, like those of a client that does
// not wait for every answer.

internal import SluiceWire
internal import ToolSupport

struct ModelGenerator {
  private var random: SplitMix64
  private let sessionCount: Int
  private let burstMaximum: Int
  /// The rest of the burst, and its session and channel.
  private var burstLeft = 0
  private var session = 0
  private var channel = 0

  /// How often a kind comes, relative to the sum of all.
  private static let weights: [(kind: ModelStep.Kind, weight: Int)] = [
    (.read, 3000), (.write, 2000), (.lock, 1500), (.unlock, 1000), (.fileSize, 500),
    (.checkReserved, 300), (.truncate, 150), (.allocate, 60), (.open, 150), (.close, 90),
    (.walMap, 120), (.walLock, 600), (.walUnmap, 30), (.externalReader, 100), (.access, 150),
    (.delete, 40), (.fullPathname, 30), (.hasMoved, 80), (.openWindow, 10), (.look, 100),
    (.channelOpen, 40), (.channelClose, 20), (.nothing, 40), (.unknown, 10), (.strangePath, 20),
    (.sync, 1),
  ]

  /// Each kind as often as its weight: one random number draws one.
  private static let kinds: [ModelStep.Kind] = weights.flatMap {
    Array(repeating: $0.kind, count: $0.weight)
  }

  /// With `burstMaximum` 1, every step is answered before the next one.
  init(seed: UInt64, sessionCount: Int, burstMaximum: Int) {
    random = SplitMix64(seed: seed)
    self.sessionCount = sessionCount
    self.burstMaximum = burstMaximum
  }

  mutating func next(_ model: FileModel) -> ModelStep {
    let joins = burstLeft > 0
    if !joins {
      burstLeft = 1 + random.below(burstMaximum)
      session = random.below(sessionCount)
      channel = !random.once(in: 3) ? random.below(ModelLimits.channels) : 0
      if random.once(in: 2000) {
        burstLeft = 0
        return place(ModelStep(random.once(in: 4) ? .vanish : .leave), joins: false)
      }
    }
    burstLeft -= 1
    let kind = ModelGenerator.kinds[random.below(ModelGenerator.kinds.count)]
    return place(fill(ModelStep(kind), model), joins: joins)
  }

  private func place(_ step: ModelStep, joins: Bool) -> ModelStep {
    var step = step
    step.session = UInt8(session)
    step.channel = UInt8(channel)
    step.joins = joins
    return step
  }

  private mutating func fill(_ step: ModelStep, _ model: FileModel) -> ModelStep {
    var step = step
    step.file = UInt8(chooseFile(free: step.kind == .open, model))
    if isAboutLocks(step.kind) == random.once(in: 2), let standing = standingFile(model) {
      // Handles with standing locks are few. They get most of the locking and little of the
      // closing.
      if isAboutLocks(step.kind) {
        step.file = UInt8(standing)
      } else if step.kind == .close, standing == Int(step.file) {
        step.kind = .fileSize
      }
    }
    switch step.kind {
    case .open: fillOpen(&step)
    case .read, .write, .truncate, .allocate, .look: fillRange(&step, model)
    case .lock: step.value = [1, 1, 1, 2, 2, 4, 4, 4, 3, 0][random.below(10)]
    case .unlock: step.value = [0, 0, 0, 0, 1, 1, 1, 2, 3, 4][random.below(10)]
    case .walMap:
      step.options = [1, 1, 5, 1, 0, 4, 2, 3][random.below(8)]
      step.count = Int32([0, 4096, 32_768, 32_768, 65_536, 5000, 2 << 20][random.below(7)])
    case .walLock:
      step.value = UInt16([0, 0, 1, 1, 2][random.below(5)])
      step.at = Int64(random.below(8))
      step.count = Int32(1 + (random.once(in: 4) ? random.below(8 - Int(step.at)) : 0))
    case .walUnmap: step.value = UInt16(random.below(2))
    case .delete: fillName(&step, valueBound: random.once(in: 50) ? 2 : 1)
    case .access: fillName(&step, valueBound: 3)
    case .fullPathname: fillName(&step, valueBound: 1)
    case .strangePath:
      step.value = UInt16(random.below(FileModel.StrangePath.allCases.count))
      step.options = UInt8(random.below(3))
    case .channelOpen, .channelClose: step.value = UInt16(random.below(ModelLimits.channels))
    case .unknown: step.value = UInt16(random.below(4))
    default: break
    }
    return step
  }

  private func isAboutLocks(_ kind: ModelStep.Kind) -> Bool {
    kind == .lock || kind == .unlock || kind == .walLock || kind == .walMap
  }

  private func standingFile(_ model: FileModel) -> Int? {
    model.sessions[session].handles.firstIndex { $0?.stands ?? false }
  }

  /// Mostly a place that is in use; with `free`, one that is not.
  private mutating func chooseFile(free: Bool, _ model: FileModel) -> Int {
    let start = random.below(ModelLimits.files)
    if random.once(in: 100) { return start }
    let handles = model.sessions[session].handles
    // Only a few files, so that sessions meet on them.
    for step in 0..<6 {
      let place = (start + step) % 6
      if (handles[place] == nil) == free { return place }
    }
    return start
  }

  private mutating func fillOpen(_ step: inout ModelStep) {
    fillName(&step, valueBound: 1)
    step.value = 0
    if random.once(in: 12) { step.name = UInt8(ModelNames.unnamed) }
    // Mostly databases, because they have the locks.
    if !random.once(in: 3), Int(step.name) < ModelNames.count {
      step.name = UInt8(ModelNames.database(Int(step.name)))
    }
    let kinds: [UInt8] = [1, 2, 3, 1, 5]
    let name = Int(step.name)
    step.fileKind = name == ModelNames.unnamed ? 5 : kinds[name % 4]
    if random.once(in: 20) { step.fileKind = UInt8(1 + random.below(5)) }
    step.options = [3, 3, 3, 3, 3, 1, 0, 2, 7, 35][random.below(10)]
    if !random.once(in: 3) { step.options |= 64 }
    if random.once(in: 30) { step.options |= 8 }
    if random.once(in: 30) { step.options |= 16 }
  }

  private mutating func fillName(_ step: inout ModelStep, valueBound: Int) {
    step.name = UInt8(random.below(ModelNames.count))
    step.spelling = UInt8(random.once(in: 3) ? random.below(4) : 0)
    step.value = UInt16(random.below(valueBound))
  }

  private mutating func fillRange(_ step: inout ModelStep, _ model: FileModel) {
    let size = model.handle(step)?.file.byteCount ?? 0
    let draw = random.below(100)
    if draw < 50 {
      step.count = Int32(random.below(128))
    } else if draw < 97 {
      step.count = Int32([512, 1024, 4096, 4096][random.below(4)])
    } else {
      step.count = Int32(draw < 99 ? random.below(20_000) : 65_536)
    }
    // Near the present content, so that files grow slowly and reads find something.
    var at = random.below(size + 4097)
    if random.once(in: 2) { at &= ~4095 }
    step.at = Int64(max(0, min(at, ModelLimits.fileByteCount - Int(step.count))))
    step.fill = UInt16(truncatingIfNeeded: random.next())
    if step.kind == .truncate, random.once(in: 3) { step.at = Int64(random.below(8192)) }
    if step.kind == .read, random.once(in: 500) { step.at = 1 << 40 }
  }
}
