// The vectors and fixtures that the reference implementation answered for. See Protocol/AUTOMERGE.md.

import Foundation
import Testing

@testable import SluiceAutomerge

typealias Fields = [String: Any]

enum VectorFile {
  static let folder = URL(fileURLWithPath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
    .appendingPathComponent("Protocol/vectors/automerge")

  /// All vectors of a kind.
  static func vectors(_ kind: String) throws -> [Fields] {
    let compressed = [UInt8](
      try Data(contentsOf: folder.appendingPathComponent("vectors.json.gz")))
    // gzip without a name has 10 bytes before the stream and 8 after it.
    let json = try inflated(compressed, 10..<compressed.count - 8, limits: Limits())
    let file = try JSONSerialization.jsonObject(with: Data(json)) as? Fields
    let all = file?["vectors"] as? [Fields] ?? []
    let found = all.filter { $0["kind"] as? String == kind }
    #expect(!found.isEmpty)
    return found
  }

  /// A fixture; nil if this copy of the repository leaves it out for its size and no
  /// SLUICE_AUTOMERGE_FIXTURES names a folder with it.
  static func fixture(_ name: String) -> [UInt8]? {
    let large = ProcessInfo.processInfo.environment["SLUICE_AUTOMERGE_FIXTURES"]
    for place in [folder, large.map { URL(fileURLWithPath: $0) }].compactMap({ $0 }) {
      if let data = try? Data(contentsOf: place.appendingPathComponent(name)) {
        return [UInt8](data)
      }
    }
    return nil
  }
}

extension Fields {
  func text(_ key: String) -> String { self[key] as? String ?? "" }
  func texts(_ key: String) -> [String] { self[key] as? [String] ?? [] }
  func list(_ key: String) -> [Fields] { self[key] as? [Fields] ?? [] }
  func fields(_ key: String) -> Fields { self[key] as? Fields ?? [:] }
  func bytes(_ key: String) -> [UInt8] { [UInt8](hex: text(key))! }
  func has(_ key: String) -> Bool { self[key] != nil }
  var title: String { "\(text("id")) \(text("name"))" }

  /// The changes of a vector.
  func changes() throws -> [Change] {
    try texts("changes").map { try Change([UInt8](hex: $0)!) }
  }
}

func hashes(_ texts: [String]) -> [ChangeHash] { texts.map { ChangeHash(hex: $0)! } }

/// The document without compressed columns, for comparison of what compressors write differently.
func expanded(_ bytes: [UInt8]) throws -> [UInt8] {
  try Document(loading: bytes).save(compressing: false)
}

/// Runs `body`, and gives the reason of its refusal; nil if it was accepted.
func refusal(_ body: () throws -> Void) -> AutomergeError.Reason? {
  do {
    try body()
    return nil
  } catch let error as AutomergeError {
    return error.reason
  } catch {
    Issue.record("another error: \(error)")
    return nil
  }
}
