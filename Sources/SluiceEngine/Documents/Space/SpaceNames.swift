// The names of spaces, documents and branches. A space's name becomes the name of a file, so it is
// checked before anything is done with it.

/// The name of a space: a did:key.
package struct SpaceName: Hashable, Sendable, CustomStringConvertible {
  /// "did:key:…"
  package let description: String

  private static let prefix = "did:key:"
  private static let byteCountMax = 200

  /// Throws unless the text is `did:key:` and at least one letter or digit, in at most 200 bytes.
  package init(_ text: String) throws(SpaceError) {
    guard text.utf8.starts(with: Self.prefix.utf8), text.utf8.count > Self.prefix.utf8.count,
      text.utf8.count <= Self.byteCountMax,
      text.utf8.dropFirst(Self.prefix.utf8.count).allSatisfy(Self.isLetterOrDigit)
    else {
      throw SpaceError(
        .invalidSpace, "a space is named did:key: and letters and digits, in at most 200 bytes")
    }
    description = text
  }

  /// The file of the space in the directory of the spaces.
  package var fileName: String { "\(description).sqlite" }

  /// The space whose file has this name; nil for other files.
  package init?(fileName: String) {
    let suffix = ".sqlite"
    guard fileName.hasSuffix(suffix),
      let name = try? SpaceName(String(fileName.dropLast(suffix.count)))
    else { return nil }
    self = name
  }

  private static func isLetterOrDigit(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"):
      true
    default: false
    }
  }
}

/// A branch of a document.
package struct BranchReference: Hashable, Sendable, CustomStringConvertible {
  /// Any text; by custom "doc:" and a reference.
  package var docID: String
  package var branch: String

  package static let mainBranch = "main"
  private static let docByteCountMax = 1024
  private static let branchByteCountMax = 255

  package init(_ docID: String, branch: String = mainBranch) {
    self.docID = docID
    self.branch = branch
  }

  package var description: String { "\(docID)@\(branch)" }

  /// Why the reference can be none; nil if it can be one.
  var flaw: (code: SpaceError.Code, message: String)? {
    if docID.isEmpty || docID.utf8.count > Self.docByteCountMax || docID.utf8.contains(0) {
      return (.invalidDoc, "a document's id has 1 to 1,024 bytes, none of them zero")
    }
    let isPrintable = branch.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7f }
    if branch.isEmpty || branch.utf8.count > Self.branchByteCountMax || !isPrintable {
      return (
        .invalidBranch, "a branch's name has 1 to 255 bytes, none of them a control character"
      )
    }
    return nil
  }

  func check() throws(SpaceError) {
    if let flaw { throw SpaceError(flaw.code, flaw.message) }
  }
}
