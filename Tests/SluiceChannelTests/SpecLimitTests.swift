// Protocol/SPEC.md against the limits in the code: symbols that this target can use, and private
// constants of other modules.

import CSluice
import Foundation
import SluiceChannel
import SluiceWire
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(2))) struct SpecLimitTests {
  private let spec: SpecDocument

  init() throws { spec = try SpecDocument() }

  @Test func theViolationsAreThoseOfTheCode() throws {
    let names = try spec.rows(under: "Violations").map { $0["name"] }
    #expect(names == ProtocolViolation.allCases.map { "\($0)" })
  }

  @Test func theChannelLimitsAreThoseOfTheCode() throws {
    let limits: [String: Int] = [
      "SLUICE_PROTOCOL_VERSION": Int(protocolVersion),
      "SLUICE_INLINE_ARGUMENT_BYTE_COUNT": Int(SLUICE_INLINE_ARGUMENT_BYTE_COUNT),
      "transferByteCountMaximum": ChannelShape.transferByteCountMaximum,
      "pathByteCountMaximum": ChannelShape.pathByteCountMaximum,
      "channelCountMaximum": ChannelSleep.channelCountMaximum,
    ]
    let rows = try spec.rows(under: "Channel limits")
    #expect(Set(rows.compactMap { $0["limit"] }) == Set(limits.keys))
    for row in rows {
      #expect(number(row["value"]) == limits[row["limit"]!].map { UInt64($0) }, "\(row)")
    }
  }

  @Test func theStandardShapeIsThatOfTheCode() throws {
    let rows = try spec.rows(under: "Shape limits")
    let standard = ChannelShape.standard
    let sizes = [
      standard.slotCount, standard.argumentAreaByteCount, standard.payloadByteCount,
    ]
    #expect(rows.map { number($0["as made"]) } == sizes.map { UInt64($0) })
  }

  @Test func shapesAreAttachedUpToTheirLimitsAndNoFurther() throws {
    let setters: [String: (inout ChannelShape, Int) -> Void] = [
      "slot_count": { $0.slotCount = $1 },
      "argument_area_byte_count": { $0.argumentAreaByteCount = $1 },
      "payload_byte_count": { $0.payloadByteCount = $1 },
    ]
    let rows = try spec.rows(under: "Shape limits")
    #expect(Set(rows.compactMap { $0["size"] }) == Set(setters.keys))
    for row in rows {
      let set = try #require(setters[row["size"]!])
      let smallest = Int(try #require(number(row["smallest"])))
      let largest = Int(try #require(number(row["largest"])))
      // The slot count doubles, because other numbers would be refused for another reason.
      let above = row["size"] == "slot_count" ? 2 * largest : largest + 1
      for (size, isSound) in [
        (smallest - 1, false), (smallest, true), (largest, true), (above, false),
      ] {
        var shape = ChannelShape.small()
        set(&shape, size)
        let regions = try? TestChannel(shape).attach()
        let isAttached = regions != nil
        #expect(isAttached == isSound, "\(row["size"]!) = \(size)")
      }
    }
  }

  @Test func theByteOrdersAreThoseOfTheCode() throws {
    let row = try #require(try spec.rows(under: "Facts").first { $0["field"] == "byte_order" })
    #expect(
      row["meaning"] == "of arguments: \(SLUICE_LITTLE_ENDIAN_ARGUMENTS) little-endian, "
        + "\(SLUICE_BIG_ENDIAN_ARGUMENTS) big-endian")
  }

  @Test func theHabitsAreThoseOfTheCode() throws {
    let sources = try sourceText()
    for row in try spec.rows(under: "Habits") {
      let name = row["constant"]!
      #expect(values(of: name, in: sources) == [number(row["value"])], "\(name)")
    }
  }

  @Test func theLockBytesAreThoseOfTheCode() throws {
    let sources = try sourceText()
    let rows = try spec.rows(under: "Lock bytes")
    let first = rows.compactMap { number($0["first byte"]) }
    let pending = try #require(values(of: "pending", type: "Int64", in: sources).first)
    #expect(rows.map { $0["name"] } == ["pending", "reserved", "shared"])
    #expect(first == [pending, pending + 1, pending + 2])
    #expect(sources.contains("static let reserved = pending + 1"))
    #expect(sources.contains("static let shared = pending + 2"))
    let sharedByteCount = try #require(values(of: "sharedByteCount", in: sources).first)
    #expect(rows.map { number($0["bytes"]) } == [1, 1, sharedByteCount])
  }

  @Test func theWALIndexBytesAreThoseOfTheCode() throws {
    let sources = try sourceText()
    let rows = try spec.rows(under: "WAL index bytes")
    #expect(rows.map { $0["name"] } == ["locks", "deadManSwitch"])
    let first = ["firstLockByte", "deadManSwitch"].flatMap { values(of: $0, in: sources) }
    #expect(rows.map { number($0["first byte"]) } == first)
    #expect(rows.map { number($0["bytes"]) } == [WALIndexLockRequest.lockCount, 1])
    // The proxy has its own constant.
    #expect(Set(values(of: "lockCount", in: sources)) == [WALIndexLockRequest.lockCount])
  }

  @Test func theDescriptorPurposesAreThoseOfTheCode() throws {
    let purposes: [DescriptorPurpose] = [.walIndex, .window]
    let rows = try spec.rows(under: "Descriptor purposes")
    #expect(rows.map { $0["name"] } == purposes.map { "\($0)" })
    #expect(rows.map { number($0["purpose"]) } == purposes.map { UInt64($0.rawValue) })
  }

  // MARK: Constants that no test can import

  private func sourceText() throws -> String {
    let sources = repositoryFile("Sources").resolvingSymlinksInPath()
    let files = FileManager.default.enumerator(at: sources, includingPropertiesForKeys: nil)
    var text = ""
    while let file = files?.nextObject() as? URL {
      if file.pathExtension == "swift" { text += try String(contentsOf: file, encoding: .utf8) }
    }
    return text
  }

  /// The values after `let name =` or `var name: Type =`, wherever it is declared. For `name.part`,
  /// the values after `part:` in `let name = Type(…)`.
  private func values(of name: String, type: String? = nil, in sources: String) -> [UInt64] {
    let annotation = type.map { ": \($0)" } ?? "(?:: \\w+)?"
    let parts = name.split(separator: ".")
    let value =
      parts.count == 1
      ? "" : "\\w+\\((?:\\w+: [0-9a-fA-Fx_]+, )*\(parts[1]): "
    let pattern = "(?:let|var) \(parts[0])\(annotation) = \(value)(0x[0-9a-fA-F_]+|[0-9_]+)"
    guard let expression = try? Regex(pattern, as: (Substring, Substring).self) else { return [] }
    return sources.matches(of: expression).compactMap {
      number($0.output.1.replacing("_", with: "").description)
    }
  }
}
