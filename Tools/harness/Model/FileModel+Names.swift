// The model of names, and of a session's channels.

internal import CSluice
internal import SluiceWire

extension FileModel {
  func open(_ step: ModelStep) -> Expected? {
    guard handle(step) == nil, let kind = FileKind(rawValue: UInt64(step.fileKind)) else {
      return nil
    }
    var options = OpenOptions(rawValue: UInt64(step.options))
    let creates = options.contains(.create)
    if creates { options.insert(.readWrite) }
    let name = Int(step.name)
    let file: ModelFile
    if name == ModelNames.unnamed {
      file = makeFile()
    } else {
      if ModelNames.isIndex(name) { return nil }
      if options.contains(.deleteBeforeOpen) {
        // The name must be a database's: `-journal` and the others are added to it.
        guard ModelNames.isDatabase(name) else { return nil }
        if let present = names[name], !present.handles.isEmpty { return Expected(.busy) }
        for name in name..<(name + 4) { self[name: name] = nil }
      }
      if let present = names[name] {
        if creates, options.contains(.exclusive) { return Expected(.systemError, errno: EEXIST) }
        if options.contains(.deleteOnClose), present.index != nil { return nil }
        file = present
      } else {
        guard creates else { return Expected(.notFound) }
        file = makeFile()
      }
    }
    let channel = channel(of: step)
    let stands =
      options.contains(.standingLocks) && kind == .mainDatabase && channel != 0
      && !options.contains(.unlockAsSoonAsPossible)
      && !sessions[Int(step.session)].standing[channel]
    if stands { sessions[Int(step.session)].standing[channel] = true }
    let handle = ModelHandle(
      file: file, name: name, kind: kind, isWritable: options.contains(.readWrite),
      channel: UInt8(channel), stands: stands)
    file.handles.append(handle)
    sessions[Int(step.session)].handles[Int(step.file)] = handle
    if name != ModelNames.unnamed {
      self[name: name] = options.contains(.deleteOnClose) ? nil : file
    }
    let isDatabase = kind == .mainDatabase && name != ModelNames.unnamed
    return Expected(
      .done, .opened(isWritable: handle.isWritable, database: isDatabase ? file : nil))
  }

  func byName(_ step: ModelStep) -> Expected? {
    if step.kind == .strangePath { return strangePath(step) }
    let name = Int(step.name)
    guard name < ModelNames.count else { return nil }
    switch step.kind {
    case .delete:
      guard let file = names[name] else { return Expected(.notFound) }
      // Another database of this name would share the index.
      if file.index != nil { return nil }
      self[name: name] = nil
      return Expected(.done)
    case .access:
      guard let file = names[name] else { return Expected(.done, .answer(false)) }
      return Expected(.done, .answer(step.value != 0 || file.byteCount > 0))
    default: return Expected(.done, .path(name))
    }
  }

  /// Paths that no file of the run can have.
  enum StrangePath: Int, CaseIterable {
    case outside, missingDirectory, longName, empty, parent

    var path: [UInt8] {
      switch self {
      case .outside: Array("../x".utf8)
      case .missingDirectory: Array("no-such-directory/x".utf8)
      case .longName: Array(repeating: UInt8(ascii: "n"), count: 256)
      case .empty: []
      case .parent: Array("..".utf8)
      }
    }
  }

  /// `options` of the step: 0 opens, 1 asks for access, 2 deletes.
  private func strangePath(_ step: ModelStep) -> Expected? {
    guard let path = StrangePath(rawValue: Int(step.value)), step.options <= 2 else { return nil }
    if path == .outside { return Expected(.outsideRoot) }
    if step.options == 1 { return Expected(.done, .answer(false)) }
    switch path {
    case .outside: return nil
    case .missingDirectory, .empty: return Expected(.notFound)
    case .longName: return Expected(.systemError, errno: ENAMETOOLONG)
    case .parent: return Expected(.systemError, errno: EISDIR)
    }
  }

  // MARK: Channels

  /// `value` is the place of the channel in question.
  func channels(_ step: ModelStep) -> Expected? {
    let session = Int(step.session)
    let place = Int(step.value)
    guard place < ModelLimits.channels else { return nil }
    if step.kind == .channelOpen {
      guard place > 0, !sessions[session].channels[place] else { return nil }
      sessions[session].channels[place] = true
      sessions[session].standing[place] = false
      return Expected(.done, .channel)
    }
    guard place > 0, place != channel(of: step), sessions[session].channels[place] else {
      return Expected(.misuse)
    }
    for case let handle? in sessions[session].handles where handle.channel == UInt8(place) {
      close(handle, of: session)
    }
    sessions[session].channels[place] = false
    return Expected(.done)
  }
}
