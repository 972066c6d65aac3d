// The supervisor of a sandbox: a process outside of it, which the kernel asks before a program in
// it changes a file's attributes or names (seccomp's user notification).
//
//   attributes   Landlock has no right for owners, permissions and times. The supervisor makes the
//                change itself, on a descriptor that it holds, if the file lies in a writable
//                directory and the caller has all rights of the supervisor. So whatever the caller
//                puts in the place of its descriptors, paths and memory meanwhile, nothing else is
//                changed. Extended attributes and flags are always refused.
//   names and content   Landlock decides; the supervisor lets the call go on and takes notice of what
//                Landlock refuses, for the report.
//
// If the supervisor dies, the kernel fails such calls with ENOSYS. If it cannot see what a caller
// wants, attributes are not changed.
//
// Threads: the keeper's only one (CommandProcess).

internal import CSluice
internal import SluiceCommand
internal import SluiceSystem

final class SandboxSupervisor: KeeperDuty {
  private(set) var places: WritablePlaces
  /// The end of the command, which sends the listener.
  private let line: (ours: SharedDescriptor, theirs: SharedDescriptor)
  private let usesSharedMemory: Bool
  private let isQuiet: Bool
  private var state = State.waits
  private var report = RefusalReport()
  private var rights: CallerRights?

  private enum State {
    case waits
    case supervises(SharedDescriptor)
    case done
  }

  /// `socket` is the path of the sidecar's socket.
  init(places: WritablePlaces, socket: String, isQuiet: Bool) throws(Errno) {
    var ends: [Int32] = [-1, -1]
    let result = unsafe sluice_socket_pair(&ends)
    if result < 0 { throw Errno(-result) }
    self.places = places
    self.isQuiet = isQuiet
    line = (
      SharedDescriptor(FileDescriptor(owning: ends[0])),
      SharedDescriptor(FileDescriptor(owning: ends[1]))
    )
    // The machine's own /dev/shm stays if the sidecar is reached through it, or it may be changed.
    usesSharedMemory = !socket.hasPrefix("/dev/shm/") && !places.haveSharedMemory
  }

  // MARK: Of the command

  /// In the command: hands the supervisor the descriptor on which the kernel asks it; nil if it
  /// asks nobody.
  func give(_ listener: borrowing FileDescriptor?) throws(Errno) {
    let descriptor: Int32
    switch listener {
    case .some(let listener): descriptor = listener.rawValue
    case .none: descriptor = -1
    }
    let word: UInt8 = 1
    try unsafe withUnsafeBytes(of: word) { (bytes) throws(Errno) in
      try unsafe line.theirs.descriptor.send(bytes, passing: descriptor)
    }
  }

  // MARK: Of the keeper

  func begin() {
    if usesSharedMemory {
      do throws(Errno) {
        let result = sluice_take_private_shared_memory()
        if result < 0 { throw Errno(-result) }
        try places.add("/dev/shm")
      } catch {
        if !isQuiet {
          printError(
            "sluice: run: --sandbox: no private /dev/shm: \(unsafe String(cString: error.text));"
              + " programs cannot use shared memory and semaphores with names")
        }
      }
    }
    sluice_become_ancestor_of_orphans()
    rights = CallerRights(process: "self")
  }

  var descriptor: Int32? {
    switch state {
    case .waits: line.ours.descriptor.rawValue
    case .supervises(let listener): listener.descriptor.rawValue
    case .done: nil
    }
  }

  func work() {
    switch state {
    case .waits: state = receiveListener().map(State.supervises) ?? .done
    case .supervises(let listener):
      var call = sluice_call()
      // Others wait for the keeper, too.
      for _ in 0..<32 {
        let number = listener.descriptor.rawValue
        let result = unsafe sluice_call_next(number, &call)
        if result < 0 { state = .done }
        guard result > 0 else { return }
        decide(HeldCall(call: call, listener: number))
      }
    case .done: break
    }
  }

  private func receiveListener() -> SharedDescriptor? {
    var word: UInt8 = 0
    let message = try? unsafe withUnsafeMutableBytes(of: &word) { (room) throws(Errno) in
      try unsafe line.ours.descriptor.receive(into: room)
    }
    guard var message, let listener = message.first.take() else { return nil }
    return SharedDescriptor(listener)
  }

  func commandHasEnded() {
    // A command that ended at once may have given the listener to what it started.
    if case .waits = state { work() }
    if !isQuiet { report.tell() }
  }

  // MARK: Decisions

  private func decide(_ held: HeldCall) {
    switch held.kind {
    case .nothing: held.proceed()
    case .attributes, .otherAttributes:
      held.answer(outcomeOfChange(held))
    default:
      takeNotice(held)
      held.proceed()
    }
  }

  /// Changes attributes in the caller's place. Returns what its call returns.
  private func outcomeOfChange(_ held: HeldCall) -> Int32 {
    do throws(Errno) {
      let file = try held.file()
      guard let rights, let theirs = CallerRights(process: "\(held.caller.thread)") else {
        throw .notPermitted
      }
      let isWithin = rights.areWithin(theirs)
      // From here on, what was read of the caller is the caller's.
      guard held.isValid else { return -EPERM }
      let reason: Refusal.Reason? =
        switch true {
        case held.kind == .otherAttributes: .always
        case !places.contains(file): .place
        case !isWithin: .rights
        default: nil
        }
      guard let reason else { return held.perform(on: file) }
      if wouldBeAllowed(file) { note(held, file: file, reason) }
      return -EPERM
    } catch {
      // Without its memory nothing can be done for the caller.
      if error == .notPermitted || error == .noProcess {
        report.isPartial = true
        return -EPERM
      }
      return -error.rawValue
    }
  }

  /// Whether this process could make such a change outside of the sandbox. What fails anyway is no
  /// news.
  private func wouldBeAllowed(_ file: borrowing FileDescriptor) -> Bool {
    guard let place = try? FilePlace(of: file.rawValue) else { return false }
    return processIdentity().user == 0 || processIdentity().user == place.user
  }

  private func takeNotice(_ held: HeldCall) {
    do throws(Errno) {
      for name in try held.names() {
        if let refused = name.refusedPlace(by: places) {
          note(held, directory: refused, name: name.text, name.change)
        }
      }
    } catch {
      if error == .notPermitted || error == .noProcess { report.isPartial = true }
    }
  }

  private func note(_ held: HeldCall, file: borrowing FileDescriptor, _ reason: Refusal.Reason) {
    guard let path = try? unsafe readSymbolicLink(zeroTerminated("/proc/self/fd/\(file.rawValue)"))
    else { return }
    let whole = text(ofBytes: path)
    let end = whole.lastIndex(of: "/") ?? whole.startIndex
    let isDirectory = (try? FilePlace(of: file.rawValue))?.isDirectory == true
    let caller = held.caller.identity
    report.add(
      Refusal(
        process: caller.process, program: caller.name, change: held.kind.change,
        directory: isDirectory ? whole : end == whole.startIndex ? "/" : String(whole[..<end]),
        name: isDirectory || !whole.hasPrefix("/")
          ? isDirectory ? "" : whole : String(whole[whole.index(after: end)...]),
        reason: reason))
  }

  private func note(
    _ held: HeldCall, directory: borrowing FileDescriptor, name: String, _ change: String
  ) {
    guard let path = try? pathOfDirectory(directory.rawValue) else { return }
    let caller = held.caller.identity
    report.add(
      Refusal(
        process: caller.process, program: caller.name, change: change,
        directory: text(ofBytes: path), name: name, reason: .place))
  }
}
