// What the process of a plugin sends, as a hostile one sends it: the engine takes entities of the
// plugin's own schemas and files of a bounded size, or fails the call. And what a library says of
// itself.

import CPlugin
import Glibc
import SluiceJSON
import SluiceSystem

@testable import SluiceEngine

struct PluginTarget: FuzzTarget {
  static let name = "plugin"

  private static let description =
    text("test") + number(1) + number(1) + text("*.t") + number(1) + text("t_piece")
    + text("1.0") + text("{}")

  static func seeds(from vectors: SeedVectors) -> [[UInt8]] {
    func entity(_ id: String?, _ content: String?, key: String? = "t_piece") -> [UInt8] {
      frame(cplugin_emitted, text(id) + text(key) + text("1.0") + text(content))
    }
    let done = frame(cplugin_done)
    let found =
      frame(cplugin_wants_entities) + entity("a", "{}") + entity("b", nil)
      + frame(cplugin_asked, text("SELECT ?") + text("x")) + done
    let built = frame(cplugin_wrote, [1, 2, 3]) + frame(cplugin_wrote) + done
    return [
      [0] + found, [0] + entity("a", "[]") + entity(nil, "x") + entity("a", "{}", key: "other"),
      [0] + frame(cplugin_failed, text("no")), [0] + frame(99, [0]), [1] + built, [1] + found,
      [2] + description,
    ]
  }

  private static func number(_ value: Int) -> [UInt8] {
    [0, 8, 16, 24].map { UInt8(truncatingIfNeeded: value >> $0) }
  }

  private static func text(_ text: String?) -> [UInt8] {
    text.map { number($0.utf8.count) + Array($0.utf8) } ?? number(Int(CPLUGIN_NONE))
  }

  private static func frame(_ kind: Int, _ body: [UInt8] = []) -> [UInt8] {
    number(kind) + number(body.count) + body
  }

  func run(_ input: [UInt8]) {
    let rest = Array(input.dropFirst())
    switch input.first.map({ $0 % 3 }) {
    case 0: detect(rest)
    case 1: apply(rest)
    case 2: describe(rest)
    default: break
    }
  }

  private func detect(_ answer: [UInt8]) {
    guard
      let found = try? plugin(answering: answer).detectChanges(
        before: nil, after: file, OneEntityDesk(), soon)
    else { return }
    var ids: Set<[UInt8]> = []
    for entity in found {
      require(ids.insert(Array(entity.entityID.utf8)).inserted, "an entity twice")
      require(entity.schemaKey == "t_piece" && entity.schemaVersion == "1.0", "a strange schema")
      require(entity.entityID.utf8.count <= 4096, "a long id")
      guard let content = entity.content else { continue }
      guard case .object = JSONText.root(of: Array(content.utf8)) else {
        broken("a content that is no object")
      }
    }
  }

  private func apply(_ answer: [UInt8]) {
    let built = try? plugin(answering: answer).applyChanges(file, [OneEntityDesk.entity], soon)
    require(built?.count ?? 0 <= answer.count, "more bytes than were sent")
  }

  private func describe(_ bytes: [UInt8]) {
    var reader = PluginMessageReader(bytes)
    guard let description = try? PluginDescription(from: &reader) else { return }
    require((1...64).contains(description.key.utf8.count), "a long key")
    require((1...64).contains(description.globs.count), "a number of globs")
    require((1...64).contains(description.schemas.count), "a number of schemas")
  }

  private var file: PluginFile {
    PluginFile(id: "f", path: "/a.t", metadata: nil, isHidden: false, data: [1, 2])
  }

  /// A plugin whose process sends these bytes and ends.
  private func plugin(answering bytes: [UInt8]) -> ProcessPlugin {
    var reader = PluginMessageReader(Self.description)
    guard let description = try? PluginDescription(from: &reader) else {
      broken("a good description is refused")
    }
    return ProcessPlugin(description, secondsMaximum: 10) {
      let (ours, theirs) = sockets()
      // Room for all of it is in the socket.
      _ = unsafe bytes.withUnsafeBytes {
        unsafe cplugin_send(theirs.descriptor.rawValue, $0.baseAddress, $0.count, .max)
      }
      shutdown(theirs.descriptor.rawValue, Int32(SHUT_WR))
      return PluginProcess(socket: ours, end: { _ = theirs }, signal: { 0 })
    }
  }

  /// One that takes nothing is waited for so long.
  private var soon: Interruption {
    let end = Clock.monotonicNanoseconds() + 20_000_000
    return Interruption(
      isCancelled: { Clock.monotonicNanoseconds() > end }, isClientGone: { false })
  }
}

private func sockets() -> (ours: SharedDescriptor, theirs: SharedDescriptor) {
  do {
    let pair = try SocketPair()
    let theirs = pair.theirs
    return (SharedDescriptor(pair.ours), SharedDescriptor(theirs))
  } catch {
    broken("no sockets: \(error)")
  }
}

private final class OneEntityDesk: StateReader {
  static let entity = PluginEntity(
    entityID: "a", schemaKey: "t_piece", schemaVersion: "1.0", content: "{}")

  func entities(ofFile id: String, plugin key: String) throws(PluginError) -> [PluginEntity] {
    [Self.entity]
  }

  func query(_ sql: String, _ arguments: [String]) throws(PluginError) -> [[String?]] {
    [[sql], [nil]]
  }
}
