// The process that has the operator's libraries, and makes a process for each call of a plugin. What
// it does is in CPlugin.h. If it has died, the next call has the keeper make another.
//
// Any thread may call; one at a time speaks with the nursery.

internal import CPlugin
internal import CSluice
internal import SluiceSystem

final class PluginNursery: Sendable {
  private let libraries: [String]
  /// The process that makes nurseries, and the socket to it.
  private let keeper: (process: Int32, socket: SharedDescriptor)
  /// Who speaks with the nursery has the lock.
  private let link = FutexLock(Link())

  private struct Link {
    /// The socket to the nursery; nil while there is none.
    var control: SharedDescriptor?
    /// What the libraries said of themselves, in their order.
    var descriptions: [PluginDescription]?
  }

  /// How long libraries may take to load.
  private static let loadNanoseconds: Int64 = 10_000_000_000
  private static let descriptionByteCountMaximum = 8 << 20

  /// Starts the keeper. To be called before this process has other threads, and before it gives up
  /// rights that the libraries need while they are loaded.
  private init(_ libraries: [String], confines: Bool) throws(PluginError) {
    var process: Int32 = 0
    var names = unsafe libraries.map { unsafe strdup($0.contains("/") ? $0 : "./" + $0) }
    let result = unsafe names.withUnsafeMutableBufferPointer { names in
      unsafe names.withMemoryRebound(to: UnsafePointer<CChar>?.self) { names in
        unsafe cplugin_start(names.baseAddress, names.count, confines ? 1 : 0, &process)
      }
    }
    for index in unsafe names.indices { unsafe free(names[index]) }
    guard result >= 0 else { throw Self.noProcess(-result) }
    self.libraries = libraries
    keeper = (process, SharedDescriptor(FileDescriptor(owning: result)))
  }

  deinit {
    // Its end of file ends the keeper, and with it the nursery.
    keeper.socket.descriptor.shutDown()
    cplugin_await(keeper.process)
  }

  private static func noProcess(_ number: Int32) -> PluginError {
    PluginError(message: "plugins: no process can be made: \(Errno(number).message)")
  }

  /// Loads the libraries, and gives what they say of themselves, in their order.
  static func load(
    _ libraries: [String], confines: Bool
  ) throws(PluginError) -> (nursery: PluginNursery, descriptions: [PluginDescription]) {
    let nursery = try PluginNursery(libraries, confines: confines)
    do throws(PluginError) {
      return try nursery.link.withLock { (link) throws(PluginError) in
        try nursery.begin(&link)
        return (nursery, link.descriptions ?? [])
      }
    } catch {
      cplugin_kill(nursery.keeper.process)
      throw error
    }
  }

  /// Has the keeper make a nursery, whose libraries must say what they said first.
  private func begin(_ link: inout Link) throws(PluginError) {
    link.control = nil
    let result = cplugin_renew(keeper.socket.descriptor.rawValue)
    guard result >= 0 else { throw Self.noProcess(-result) }
    let control = SharedDescriptor(FileDescriptor(owning: result))
    let stream = PluginStream(
      control.descriptor.rawValue,
      PluginPatience(end: Clock.monotonicNanoseconds() + Self.loadNanoseconds))
    var descriptions: [PluginDescription] = []
    for library in libraries { descriptions.append(try Self.description(of: library, stream)) }
    guard link.descriptions == nil || link.descriptions == descriptions else {
      throw PluginError(
        message: "plugins: the libraries are not what they were when the engine began; start it "
          + "again")
    }
    link.control = control
    link.descriptions = descriptions
  }

  private static func description(
    of library: String, _ stream: PluginStream
  ) throws(PluginError) -> PluginDescription {
    let frame: (kind: Int, body: [UInt8])?
    do throws(PluginStream.Failure) {
      frame = try stream.receive { _ in Self.descriptionByteCountMaximum }
    } catch {
      switch error {
      case .late:
        throw PluginError(
          message:
            "plugin \(library): it is not loaded after 10 s; its constructors may not wait")
      case .peerEnded, .interrupted, .system:
        throw PluginError(
          message: "plugin \(library): the process that loads it has ended; a constructor of it, "
            + "or its sluice_plugin(), crashed")
      }
    }
    var reader = PluginMessageReader(frame?.body ?? [])
    if let frame, frame.kind == cplugin_not_loaded {
      throw PluginError(message: "plugin \(library): \(reader.text() ?? "it cannot be loaded")")
    }
    do throws(PluginDescription.Wrong) {
      return try PluginDescription(from: &reader)
    } catch {
      throw PluginError(message: "plugin \(library): \(error.text)")
    }
  }

  /// A process for one call of the plugin `index`.
  func makeProcess(for index: Int) throws(PluginError) -> PluginProcess {
    var process: Int32 = 0
    let result = try link.withLock { (link) throws(PluginError) -> Int32 in
      let result = Self.call(index, link, &process)
      guard result == -EPIPE else { return result }
      // The nursery was killed.
      try begin(&link)
      return Self.call(index, link, &process)
    }
    guard result >= 0 else { throw Self.noProcess(-result) }
    let made = process
    return PluginProcess(
      socket: SharedDescriptor(FileDescriptor(owning: result)), end: { self.end(made) },
      signal: { self.signalThatEnded(made) })
  }

  private static func call(_ index: Int, _ link: Link, _ process: inout Int32) -> Int32 {
    guard let control = link.control else { return -EPIPE }
    return unsafe cplugin_call(control.descriptor.rawValue, UInt32(index), &process)
  }

  /// Kills the process of a call, if it has not ended.
  private func end(_ process: Int32) {
    link.withLock { link in
      guard let control = link.control else { return }
      _ = cplugin_end(control.descriptor.rawValue, process, nil)
    }
  }

  /// The signal that has ended the process of a call, which has closed its socket; 0 for none, nil if
  /// nobody knows.
  private func signalThatEnded(_ process: Int32) -> Int32? {
    link.withLock { link in
      var status: Int32 = -1
      guard let control = link.control,
        unsafe cplugin_end(control.descriptor.rawValue, process, &status) >= 0, status >= 0
      else { return nil }
      return cplugin_signal(status)
    }
  }
}
