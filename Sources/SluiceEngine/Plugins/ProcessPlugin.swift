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

  private let makeProcess: @Sendable () throws(PluginError) -> PluginProcess
  private let secondsMaximum: Int

  /// `makeProcess` makes a process for one call, on any thread.
  init(
    _ description: PluginDescription, secondsMaximum: Int,
    makeProcess: @escaping @Sendable () throws(PluginError) -> PluginProcess
  ) {
    key = description.key
    globs = description.globs
    schemas = description.schemas
    canBuild = description.canBuild
    self.makeProcess = makeProcess
    self.secondsMaximum = secondsMaximum
  }

  func detectChanges(
    before: PluginFile?, after: PluginFile, _ state: any StateReader,
    _ interruption: Interruption
  ) throws(PluginError) -> [PluginEntity] {
    var message = PluginMessage()
    message.append(before == nil ? 0 : 1)
    if let before { message.append(try plain(before)) }
    message.append(try plain(after))
    let call = try begin(cplugin_detect, message, interruption)
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
    _ file: PluginFile, _ entities: [PluginEntity], _ interruption: Interruption
  ) throws(PluginError) -> [UInt8] {
    guard canBuild else { throw error("builds no files; another plugin has to") }
    var message = PluginMessage()
    message.append(try plain(file))
    message.append(try plain(entities))
    let call = try begin(cplugin_apply, message, interruption)
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
    _ kind: Int, _ message: PluginMessage, _ interruption: Interruption
  ) throws(PluginError) -> PluginCall {
    let end = Clock.monotonicNanoseconds() + Int64(secondsMaximum) * 1_000_000_000
    let process: PluginProcess
    do throws(PluginError) { process = try makeProcess() } catch {
      throw self.error("cannot be called: \(error.message); if this stays, start the engine again")
    }
    let call = PluginCall(
      of: self, in: process, PluginPatience(end: end, interruption: interruption))
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
