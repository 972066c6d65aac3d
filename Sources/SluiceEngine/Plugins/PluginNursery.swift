// The process that has the operator's libraries, and makes a process for each call of a plugin. What
// it does is in CPlugin.h.
//
// Any thread may call; one at a time speaks with the nursery.

internal import CPlugin
internal import CSluice
internal import SluiceSystem

final class PluginNursery: Sendable {
  /// The socket to the nursery. Who speaks has the lock.
  private let control: FutexLock<Int32>
  private let process: Int32

  /// How long libraries may take to load.
  private static let loadNanoseconds: Int64 = 10_000_000_000
  private static let descriptionByteCountMaximum = 8 << 20

  /// Starts the nursery. To be called before this process has other threads, and before it gives up
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
    guard result >= 0 else {
      throw PluginError(message: "plugins: no process can be made: \(Errno(-result).message)")
    }
    self.process = process
    control = FutexLock(result)
  }

  deinit {
    // Its end of file ends the nursery.
    control.withLock { _ = sluice_close_descriptor($0) }
    cplugin_await(process)
  }

  /// Loads the libraries, and gives what they say of themselves, in their order.
  static func load(
    _ libraries: [String], confines: Bool
  ) throws(PluginError) -> (nursery: PluginNursery, descriptions: [PluginDescription]) {
    let nursery = try PluginNursery(libraries, confines: confines)
    do throws(PluginError) {
      let deadline = Clock.monotonicNanoseconds() + loadNanoseconds
      var descriptions: [PluginDescription] = []
      for library in libraries {
        descriptions.append(try nursery.description(of: library, until: deadline))
      }
      return (nursery, descriptions)
    } catch {
      cplugin_kill(nursery.process)
      throw error
    }
  }

  private func description(
    of library: String, until deadline: Int64
  ) throws(PluginError) -> PluginDescription {
    let stream = control.withLock { PluginStream($0) }
    let frame: (kind: Int, body: [UInt8])?
    do throws(Errno) {
      frame = try stream.receive(until: deadline) { _ in Self.descriptionByteCountMaximum }
    } catch {
      throw PluginError(
        message: error == .timedOut
          ? "plugin \(library): it is not loaded after 10 s; its constructors may not wait"
          : "plugin \(library): the process that loads it has ended; a constructor of it, or its "
            + "sluice_plugin(), crashed")
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

  /// A process for one call of the plugin `index`: the socket to it, and its id.
  func makeProcess(for index: Int) throws(Errno) -> (socket: SharedDescriptor, process: Int32) {
    var process: Int32 = 0
    let result = control.withLock { control in
      unsafe cplugin_call(control, UInt32(index), &process)
    }
    guard result >= 0 else { throw Errno(-result) }
    return (SharedDescriptor(FileDescriptor(owning: result)), process)
  }

  /// Kills the process of a call, if it has not ended.
  func end(_ process: Int32) {
    _ = control.withLock { cplugin_end($0, process, nil) }
  }

  /// The signal that has ended the process of a call, which has closed its socket; 0 for none.
  func signalThatEnded(_ process: Int32) -> Int32 {
    var status: Int32 = 0
    let result = control.withLock { unsafe cplugin_end($0, process, &status) }
    return result < 0 ? 0 : cplugin_signal(status)
  }
}

/// Frames on a socket, which another has.
struct PluginStream {
  private let socket: Int32

  init(_ socket: Int32) { self.socket = socket }

  func send(_ kind: Int, _ body: [UInt8], until deadline: Int64) throws(Errno) {
    var frame = cplugin_frame(kind: UInt32(kind), byte_count: UInt32(body.count))
    try unsafe check(cplugin_send(socket, &frame, MemoryLayout.size(ofValue: frame), deadline))
    try unsafe check(cplugin_send(socket, body, body.count, deadline))
  }

  /// The next frame; nil if it has more bytes than `byteCountMaximum` says for its kind.
  func receive(
    until deadline: Int64, byteCountMaximum: (Int) -> Int
  ) throws(Errno) -> (kind: Int, body: [UInt8])? {
    var frame = cplugin_frame()
    try unsafe check(cplugin_receive(socket, &frame, MemoryLayout.size(ofValue: frame), deadline))
    let byteCount = Int(frame.byte_count)
    guard byteCount <= byteCountMaximum(Int(frame.kind)) else { return nil }
    var result: Int32 = 0
    let body = unsafe [UInt8](unsafeUninitializedCapacity: byteCount) { bytes, count in
      if byteCount > 0 {
        result = unsafe cplugin_receive(socket, bytes.baseAddress!, byteCount, deadline)
      }
      count = result < 0 ? 0 : byteCount
    }
    try check(result)
    return (Int(frame.kind), body)
  }

  private func check(_ result: Int32) throws(Errno) {
    if result < 0 { throw Errno(-result) }
  }
}
