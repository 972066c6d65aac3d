// How a step becomes a request in a slot, and how its answer is compared.

internal import CSluice
internal import SluiceChannel
internal import SluiceSystem
internal import SluiceWire

extension ModelDriver {
  /// Codes that no version of the protocol has yet.
  private static let unknownCodes: [UInt16] = [0x0003, 0x007f, 0x0100, 0xffff]

  func send(_ step: ModelStep, _ file: UInt64, on channel: RawChannel) {
    switch step.kind {
    case .nothing: post(.nothing, 0, NoFields(), on: channel)
    case .unknown:
      channel.post(
        code: ModelDriver.unknownCodes[Int(step.value) % 4], file: file, NoFields())
    case .close: post(.close, file, NoFields(), on: channel)
    case .read: post(.read, file, OffsetFields(offset: step.at), on: channel, Int(step.count))
    case .write:
      unsafe channel.nextPayload.copyMemory(
        from: ModelNoise.bytes(step.fill), byteCount: Int(step.count))
      // A reserved field that is not zero is no violation.
      channel.post(
        code: Operation.write.rawValue, file: file, flags: step.fill,
        OffsetFields(offset: step.at), payloadByteCount: Int(step.count))
    case .truncate: post(.truncate, file, OffsetFields(offset: step.at), on: channel)
    case .allocate: post(.allocate, file, OffsetFields(offset: step.at), on: channel)
    case .fileSize: post(.fileSize, file, NoFields(), on: channel)
    case .sync: post(.sync, file, NoFields(), on: channel)
    case .lock: post(.lock, file, LockFields(level: level(step)), on: channel)
    case .unlock: post(.unlock, file, LockFields(level: level(step)), on: channel)
    case .checkReserved: post(.checkReservedLock, file, NoFields(), on: channel)
    case .hasMoved: post(.hasMoved, file, NoFields(), on: channel)
    case .openWindow: post(.openWindow, file, NoFields(), on: channel)
    case .walMap, .walLock, .walUnmap, .externalReader: sendToIndex(step, file, on: channel)
    case .open, .delete, .access, .fullPathname, .strangePath: sendName(step, on: channel)
    case .channelOpen: post(.channelOpen, 0, NoFields(), on: channel)
    case .channelClose:
      let place = client(Int(step.session)).channels[Int(step.value)]
      // Without the channel, a number that the session surely does not have.
      let number = UInt64(place?.number ?? .max)
      post(.channelClose, 0, ChannelFields(channel: number), on: channel)
    case .leave, .vanish, .look: preconditionFailure("these are no requests")
    }
  }

  private func level(_ step: ModelStep) -> LockLevel { LockLevel(rawValue: UInt64(step.value))! }

  @inline(__always)
  private func post<M: Message>(
    _ operation: Operation, _ file: UInt64, _ arguments: M, on channel: RawChannel,
    _ payloadByteCount: Int = 0
  ) {
    channel.post(
      code: operation.rawValue, file: file, arguments, payloadByteCount: payloadByteCount)
  }

  private func sendToIndex(_ step: ModelStep, _ file: UInt64, on channel: RawChannel) {
    switch step.kind {
    case .walMap:
      let options = FileModel.MapOptions(rawValue: step.options)
      let request = WALIndexMapRequest(
        byteCount: Int64(step.count), extends: options.contains(.extends),
        isReadOnly: options.contains(.isReadOnly),
        wantsDescriptor: options.contains(.wantsDescriptor))
      post(.walIndexMap, file, request, on: channel)
    case .walLock:
      let request = WALIndexLockRequest(
        first: UInt64(step.at), count: UInt64(step.count),
        kind: WALLockKind(rawValue: UInt64(step.value))!)
      post(.walIndexLock, file, request, on: channel)
    case .walUnmap:
      post(.walIndexUnmap, file, WALIndexUnmapRequest(deletes: step.value != 0), on: channel)
    default: post(.hasExternalReader, file, NoFields(), on: channel)
    }
  }

  private func sendName(_ step: ModelStep, on channel: RawChannel) {
    let name = Int(step.name)
    let path = step.kind == .strangePath ? [] : self.path(name, spelling: Int(step.spelling))
    switch step.kind {
    case .open:
      let request = OpenRequest(
        path: name == ModelNames.unnamed ? nil : path,
        kind: FileKind(rawValue: UInt64(step.fileKind))!,
        // Locks that are kept for a time would make answers depend on the clock.
        options: OpenOptions(rawValue: UInt64(step.options)), implicitLockMilliseconds: 0)
      post(.open, 0, request, on: channel)
    case .delete:
      let request = DeleteRequest(path: path, syncDirectory: step.value != 0)
      post(.delete, 0, request, on: channel)
    case .access:
      let request = AccessRequest(path: path, mode: AccessMode(rawValue: UInt64(step.value))!)
      post(.access, 0, request, on: channel)
    case .fullPathname: post(.fullPathname, 0, PathFields(path: path), on: channel)
    default: sendStrangePath(step, on: channel)
    }
  }

  private func sendStrangePath(_ step: ModelStep, on channel: RawChannel) {
    let path = FileModel.StrangePath(rawValue: Int(step.value))!.path
    switch step.options {
    case 0:
      let request = OpenRequest(
        path: path, kind: .mainDatabase, options: [.readWrite, .create],
        implicitLockMilliseconds: 0)
      post(.open, 0, request, on: channel)
    case 1: post(.access, 0, AccessRequest(path: path, mode: .exists), on: channel)
    default: post(.delete, 0, DeleteRequest(path: path, syncDirectory: false), on: channel)
    }
  }

  // MARK: Answers

  /// Checks an answer; returns what is wrong with it, or nil.
  func take(
    _ answer: RawAnswer, _ step: ModelStep, file: UInt64, _ expected: Expected, _ client: Client
  ) throws(HarnessError) -> String? {
    guard answer.isLeftAlone else { return "the answer changed fields that it must leave alone" }
    if let wrong = try compare(answer, step, expected, client) { return wrong }
    guard let status = answer.status, status.isDone else { return nil }
    let place = Int(step.file)
    switch step.kind {
    case .close: client.windows[place] = nil
    case .channelClose: client.channels[Int(step.value)] = nil
    case .openWindow:
      let descriptor = try client.session.receiveDescriptor(
        of: file, purpose: SLUICE_DESCRIPTOR_WINDOW)
      do throws(Errno) {
        guard let window = try WindowRegion.attach(descriptor) else { return "no read window" }
        client.windows[place] = window
      } catch {
        throw .system("read window", error)
      }
    case .walMap where FileModel.MapOptions(rawValue: step.options).contains(.wantsDescriptor):
      let descriptor = try client.session.receiveDescriptor(
        of: file, purpose: SLUICE_DESCRIPTOR_WAL_INDEX)
      guard case .size(let byteCount) = expected.result,
        (try? descriptor.status())?.byteCount == byteCount
      else { return "the descriptor's file has another size" }
    default: break
    }
    return nil
  }

  /// Returns what is wrong with an answer, or nil. Notes what the session must know of it.
  func compare(
    _ answer: RawAnswer, _ step: ModelStep, _ expected: Expected, _ client: Client
  ) throws(HarnessError) -> String? {
    if expected.result == .channel, toleratesLimits, answer.status == .limitReached {
      model.sessions[Int(step.session)].channels[Int(step.value)] = false
      return nil
    }
    if expected.result == .perhapsWindow, answer.status == .misuse { return nil }
    guard answer.status == expected.status else {
      return
        "\(answer.status.wording) (errno \(answer.slot.error_number)), not \(expected.status)"
    }
    if expected.errno != 0, answer.slot.error_number != expected.errno {
      return "errno \(answer.slot.error_number), not \(expected.errno)"
    }
    guard expected.status.isDone else { return nil }
    if case .content(let start, let count) = expected.result {
      guard Int(answer.slot.payload_byte_count) == count else {
        return "\(answer.slot.payload_byte_count) bytes, not \(count)"
      }
      return unsafe differingByte(answer.payload, model.expectedBytes + start, count)
    }
    guard answer.slot.payload_byte_count == 0 else { return "a payload that was not requested" }
    return try compareResult(answer, step, expected.result, client)
  }

  private func differingByte(
    _ got: UnsafeRawPointer, _ wanted: UnsafeRawPointer, _ count: Int
  ) -> String? {
    if unsafe memcmp(got, wanted, count) == 0 { return nil }
    for index in 0..<count {
      let (a, b) = unsafe (
        got.load(fromByteOffset: index, as: UInt8.self),
        wanted.load(fromByteOffset: index, as: UInt8.self)
      )
      if a != b { return "byte \(index) of \(count) is \(a), not \(b)" }
    }
    return nil
  }

  private func compareResult(
    _ answer: RawAnswer, _ step: ModelStep, _ result: Expected.Result, _ client: Client
  ) throws(HarnessError) -> String? {
    switch result {
    case .none, .content, .perhapsWindow:
      let isBare = answer.slot.argument_byte_count == 0
      return isBare || answer.decoded(as: NoFields.self) != nil
        ? nil : "results where there must be none"
    case .size(let wanted):
      let size =
        answer.decoded(as: OffsetFields.self)?.offset
        ?? answer.decoded(as: WALIndexMapReply.self)?.offset
      guard let got = size else { return noResult }
      return got == wanted ? nil : "\(got), not \(wanted)"
    case .answer(let wanted):
      guard let got = answer.decoded(as: AnswerReply.self)?.answer else { return noResult }
      return got == wanted ? nil : "\(got), not \(wanted)"
    case .anyAnswer: return answer.decoded(as: AnswerReply.self) == nil ? noResult : nil
    case .path(let name):
      guard let got = answer.decoded(as: PathFields.self)?.path else { return noResult }
      let wanted = path(name, spelling: 3)
      return got == wanted ? nil : "\(String(decoding: got, as: UTF8.self)), another full name"
    case .opened(let isWritable, let database):
      guard let got = answer.decoded(as: OpenReply.self) else { return noResult }
      guard got.isWritable == isWritable else { return "isWritable is \(got.isWritable)" }
      guard got.isLocal == (database != nil) else { return "isLocal is \(got.isLocal)" }
      let origin = database?.origin ?? (database == nil ? 0 : got.origin)
      guard got.origin == origin else { return "origin is \(got.origin), not \(origin)" }
      database?.origin = got.origin
      return note(file: got.file, at: Int(step.file), of: client)
    case .channel:
      guard let got = answer.decoded(as: ChannelFields.self)?.channel else { return noResult }
      client.channels[Int(step.value)] = try client.session.receiveChannel(got)
      return nil
    }
  }

  /// Notes a new file's id. No file of this run may have had it before.
  private func note(file id: UInt64, at place: Int, of client: Client) -> String? {
    guard idsSeen.count < 4_000_000 || idsSeen.contains(id) else {
      client.ids[place] = id
      return nil
    }
    guard idsSeen.insert(id).inserted else { return "file id \(id) was another file's" }
    client.ids[place] = id
    client.windows[place] = nil
    return nil
  }

  private var noResult: String { "no result, or another message's" }
}
