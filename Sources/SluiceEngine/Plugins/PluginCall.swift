// One call of a plugin in a library, with the process that serves it. The process ends with the call.
//
// Confined to one thread.

internal import CPlugin
internal import SluiceSystem

/// The process of a call, as its maker sees it.
struct PluginProcess {
  let socket: SharedDescriptor
  /// Kills it.
  let end: () -> Void
  /// The signal that has ended it, once it has closed its socket; 0 for none, nil if nobody knows.
  let signal: () -> Int32?
}

final class PluginCall {
  private let plugin: ProcessPlugin
  private let process: PluginProcess
  private let stream: PluginStream
  private var hasEnded = false

  init(of plugin: ProcessPlugin, in process: PluginProcess, _ patience: PluginPatience) {
    self.plugin = plugin
    self.process = process
    stream = PluginStream(process.socket.descriptor.rawValue, patience)
  }

  deinit { if !hasEnded { process.end() } }

  func send(_ kind: Int, _ message: PluginMessage) throws(PluginError) {
    guard message.bytes.count <= PluginMessage.byteCountMaximum else {
      throw plugin.error("cannot take more than 512 MiB; keep the file in parts")
    }
    do throws(PluginStream.Failure) {
      try stream.send(kind, message.bytes)
    } catch { throw reason(error) }
  }

  /// The next message. Throws what the plugin says where that is an error.
  func receive() throws(PluginError) -> (kind: Int, body: [UInt8]) {
    let frame: (kind: Int, body: [UInt8])?
    do throws(PluginStream.Failure) {
      frame = try stream.receive(byteCountMaximum: Self.byteCountMaximum)
    } catch { throw reason(error) }
    guard let frame else { throw plugin.garbage() }
    if frame.kind == cplugin_failed {
      var reader = PluginMessageReader(frame.body)
      let text = reader.text() ?? "(it gives no reason)"
      throw PluginError(message: "plugin \(plugin.key): \(text)")
    }
    return frame
  }

  static let reasonByteCountMaximum = 64 << 10
  static let partByteCountMaximum = 1 << 20
  static let queryByteCountMaximum = 2 * Limits.sqlByteCountMaximum

  private static func byteCountMaximum(_ kind: Int) -> Int {
    switch kind {
    case cplugin_emitted: Limits.rowByteCountMaximum
    case cplugin_wrote: partByteCountMaximum
    case cplugin_asked: queryByteCountMaximum
    case cplugin_failed: reasonByteCountMaximum
    default: 0
    }
  }

  private func reason(_ failure: PluginStream.Failure) -> PluginError {
    switch failure {
    case .interrupted: return .interrupted(plugin.key)
    case .late:
      return plugin.error(
        "did not end in time and was stopped; --plugin-seconds is how long it may take")
    case .system(let error): return plugin.error("cannot be talked to: \(error.message)")
    case .peerEnded:
      hasEnded = true
      return ending(process.signal())
    }
  }

  private func ending(_ signal: Int32?) -> PluginError {
    switch signal {
    case nil:
      plugin.error("was ended together with the process that had made its own; try it again")
    case 0: plugin.error("ended in the middle of a call; it may not call exit()")
    case .some(let signal):
      PluginError(
        message: "plugin \(plugin.key) crashed (signal \(signal)); the file may help its "
          + "author to find out why")
    }
  }
}
