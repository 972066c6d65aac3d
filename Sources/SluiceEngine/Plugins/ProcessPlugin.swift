// A plugin in a library of the operator. Each call runs in a process of its own, which ends with the
// call: a crash, an endless loop and what a call has learned from one client's file end with it.
//
// Nothing that the process sends is believed: the order, the number and the size of its messages,
// their encoding, and that an entity is one of a schema of this plugin.

internal import CPlugin
internal import SluiceJSON
internal import SluiceSystem

final class ProcessPlugin: Plugin {
  let key: String
  let globs: [String]
  let schemas: [PluginSchema]
  let canBuild: Bool

  private let nursery: PluginNursery
  private let index: Int
  private let secondsMaximum: Int

  init(
    _ description: PluginDescription, at index: Int, of nursery: PluginNursery, secondsMaximum: Int
  ) {
    key = description.key
    globs = description.globs
    schemas = description.schemas
    canBuild = description.canBuild
    self.nursery = nursery
    self.index = index
    self.secondsMaximum = secondsMaximum
  }

  func detectChanges(
    before: PluginFile?, after: PluginFile, _ state: any StateReader, deadline: Int64
  ) throws(PluginError) -> [PluginEntity] {
    var message = PluginMessage()
    message.append(before == nil ? 0 : 1)
    if let before { message.append(try plain(before)) }
    message.append(try plain(after))
    let call = try begin(cplugin_detect, message, deadline)
    var found = PluginFindings(of: self)
    while true {
      let (kind, body) = try call.receive()
      switch kind {
      case cplugin_emitted: try found.add(body)
      case cplugin_wants_entities:
        var answer = PluginMessage()
        answer.append(try plain(try state.entities(ofFile: after.id, plugin: key)))
        try call.send(cplugin_entities, answer)
      case cplugin_asked:
        var reader = PluginMessageReader(body)
        guard let texts = reader.texts(), let sql = texts.first else { throw garbage() }
        var answer = PluginMessage()
        answer.append(rows: try state.query(sql, Array(texts.dropFirst())))
        try call.send(cplugin_rows, answer)
      case cplugin_done: return found.entities
      default: throw garbage()
      }
    }
  }

  func applyChanges(
    _ file: PluginFile, _ entities: [PluginEntity], deadline: Int64
  ) throws(PluginError) -> [UInt8] {
    guard canBuild else { throw error("builds no files; another plugin has to") }
    var message = PluginMessage()
    message.append(try plain(file))
    message.append(try plain(entities))
    let call = try begin(cplugin_apply, message, deadline)
    var bytes: [UInt8] = []
    while true {
      let (kind, body) = try call.receive()
      switch kind {
      case cplugin_wrote:
        guard bytes.count + body.count <= Limits.valueByteCountMaximum else {
          throw error("built a file of more than 64 MiB")
        }
        bytes += body
      case cplugin_done: return bytes
      default: throw garbage()
      }
    }
  }

  func error(_ text: String) -> PluginError { PluginError(message: "plugin \(key): it \(text)") }

  func garbage() -> PluginError {
    error("sent what is no message of sluice_plugin.h; use the functions of its host only")
  }

  private func begin(
    _ kind: Int, _ message: PluginMessage, _ deadline: Int64
  ) throws(PluginError) -> PluginCall {
    let own = Clock.monotonicNanoseconds() + Int64(secondsMaximum) * 1_000_000_000
    let made: (socket: SharedDescriptor, process: Int32)
    do throws(Errno) {
      made = try nursery.makeProcess(for: index)
    } catch {
      throw self.error(
        "cannot be called: no process can be made for it (\(error.message)); if this "
          + "stays, start the engine again")
    }
    let call = PluginCall(
      of: self, by: nursery, made.socket, made.process, deadline: min(deadline, own))
    try call.send(kind, message)
    return call
  }

  // MARK: Texts of C

  private func plain(_ file: PluginFile) throws(PluginError) -> PluginFile {
    for text in [file.id, file.path, file.metadata ?? ""] where text.utf8.contains(0) {
      throw error(
        "cannot take a file whose id, path or metadata has a zero byte; name it otherwise")
    }
    return file
  }

  private func plain(_ entities: [PluginEntity]) throws(PluginError) -> [PluginEntity] {
    for entity in entities where entity.entityID.utf8.contains(0) {
      throw error("cannot take an entity whose id has a zero byte; delete it")
    }
    return entities
  }
}

/// The entities that a call reports.
private struct PluginFindings {
  private let plugin: ProcessPlugin
  private(set) var entities: [PluginEntity] = []
  private var ids: Set<EntityDifference.ID> = []
  private var byteCount = 0

  private static let countMaximum = 1_000_000
  private static let byteCountMaximum = 256 << 20
  private static let idByteCountMaximum = 4096

  init(of plugin: ProcessPlugin) { self.plugin = plugin }

  mutating func add(_ body: [UInt8]) throws(PluginError) {
    byteCount += body.count
    guard entities.count < Self.countMaximum, byteCount <= Self.byteCountMaximum else {
      throw plugin.error("reported more than 1,000,000 entities, or 256 MiB of them")
    }
    var reader = PluginMessageReader(body)
    guard let id = reader.text(), let key = reader.text(), let version = reader.text(),
      let content = reader.optionalText(), reader.isAtEnd
    else {
      throw plugin.error(
        "reported an entity without an id, schema key or schema version, or with a text that is "
          + "not UTF-8")
    }
    guard id.utf8.count <= Self.idByteCountMaximum else {
      throw plugin.error("reported an entity with an id of more than 4,096 bytes")
    }
    guard plugin.schemas.contains(where: { $0.key == key && $0.version == version }) else {
      throw plugin.error(
        "reported entity \(id.prefix(100)) with a schema that it does not have: "
          + "\(key.prefix(100)) \(version.prefix(100)); name it in sluice_plugin()")
    }
    if let content {
      guard case .object = JSONText.root(of: Array(content.utf8)) else {
        throw plugin.error(
          "reported entity \(id.prefix(100)) with a content that is no JSON object")
      }
    }
    let entity = PluginEntity(
      entityID: id, schemaKey: key, schemaVersion: version, content: content)
    guard ids.insert(EntityDifference.ID(of: entity)).inserted else {
      throw plugin.error("reported entity \(id.prefix(100)) twice")
    }
    entities.append(entity)
  }
}

/// One call, with the process that serves it.
private final class PluginCall {
  private let plugin: ProcessPlugin
  private let nursery: PluginNursery
  private let socket: SharedDescriptor
  private let process: Int32
  private let deadline: Int64
  private var hasEnded = false

  init(
    of plugin: ProcessPlugin, by nursery: PluginNursery, _ socket: SharedDescriptor,
    _ process: Int32, deadline: Int64
  ) {
    self.plugin = plugin
    self.nursery = nursery
    self.socket = socket
    self.process = process
    self.deadline = deadline
  }

  deinit { if !hasEnded { nursery.end(process) } }

  func send(
    _ kind: Int, _ message: PluginMessage
  ) throws(PluginError) {
    guard message.bytes.count <= PluginMessage.byteCountMaximum else {
      throw plugin.error("cannot take more than 512 MiB; keep the file in parts")
    }
    do throws(Errno) {
      try PluginStream(socket.descriptor.rawValue).send(kind, message.bytes, until: deadline)
    } catch { throw reason(error) }
  }

  /// The next message. Throws what the plugin says where that is an error.
  func receive() throws(PluginError) -> (kind: Int, body: [UInt8]) {
    let frame: (kind: Int, body: [UInt8])?
    do throws(Errno) {
      frame = try PluginStream(socket.descriptor.rawValue).receive(
        until: deadline, byteCountMaximum: Self.byteCountMaximum)
    } catch { throw reason(error) }
    guard let frame else { throw plugin.garbage() }
    if frame.kind == cplugin_failed {
      var reader = PluginMessageReader(frame.body)
      let text = reader.text() ?? "(it gives no reason)"
      throw PluginError(message: "plugin \(plugin.key): \(text)")
    }
    return frame
  }

  private static func byteCountMaximum(_ kind: Int) -> Int {
    switch kind {
    case cplugin_emitted: Limits.rowByteCountMaximum
    case cplugin_wrote: 1 << 20
    case cplugin_asked: 2 * Limits.sqlByteCountMaximum
    case cplugin_failed: 64 << 10
    default: 0
    }
  }

  private func reason(_ error: Errno) -> PluginError {
    if error == .timedOut {
      return plugin.error(
        "did not end in time and was stopped; --plugin-seconds, or the "
          + "statement's own deadline, is how long it may take")
    }
    guard error == .brokenPipe else { return plugin.error("cannot be talked to: \(error.message)") }
    hasEnded = true
    let signal = nursery.signalThatEnded(process)
    return signal > 0
      ? PluginError(
        message: "plugin \(plugin.key) crashed (signal \(signal)); the file may help its "
          + "author to find out why")
      : plugin.error("ended in the middle of a call; it may not call exit()")
  }
}
