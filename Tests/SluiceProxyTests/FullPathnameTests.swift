// The one name of a file, whatever it was called.

import Foundation
import SluiceClient
import SluiceWire
import Testing

struct FullPathnameTests {
  private let sidecar: SidecarProcess
  private let session: Session

  init() throws {
    sidecar = try SidecarProcess()
    session = try sidecar.connect()
    let files = FileManager.default
    try files.createDirectory(at: sidecar.file("sub/deep"), withIntermediateDirectories: true)
    for (name, target) in [
      ("link", "sub"), ("file-link", "sub/deep/x.db"), ("sub/up", ".."), ("chain", "file-link"),
      ("dangling", "nowhere/x.db"), ("out", "../../etc"), ("absolute", "/sub"), ("loop", "loop"),
    ] {
      try files.createSymbolicLink(atPath: sidecar.file(name).path, withDestinationPath: target)
    }
  }

  private func full(_ path: String) throws -> (path: String, isThroughLink: Bool) {
    let answer = try session.home.fullPathname(Array(path.utf8))
    return (String(decoding: answer.path, as: UTF8.self), answer.isThroughLink)
  }

  @Test(arguments: [
    ("x.db", "/x.db"), ("/x.db", "/x.db"), ("//x.db", "/x.db"), ("./x.db", "/x.db"),
    ("sub/deep/../x.db", "/sub/x.db"), ("sub/./deep//x.db", "/sub/deep/x.db"), ("/", "/"),
    (".", "/"), ("sub/..", "/"), ("sub", "/sub"), ("none/x.db", "/none/x.db"),
    ("none/../x.db", "/x.db"), ("a b%?ü.db", "/a b%?ü.db"),
  ])
  func plainPath(path: String, expected: String) throws {
    let answer = try full(path)
    #expect(answer.path == expected)
    #expect(!answer.isThroughLink)
  }

  @Test(arguments: [
    ("link/x.db", "/sub/x.db"), ("file-link", "/sub/deep/x.db"), ("chain", "/sub/deep/x.db"),
    ("sub/up/x.db", "/x.db"), ("sub/up/link/deep/x.db", "/sub/deep/x.db"),
    ("dangling", "/nowhere/x.db"),
  ])
  func pathThroughLinks(path: String, expected: String) throws {
    let answer = try full(path)
    #expect(answer.path == expected)
    #expect(answer.isThroughLink)
  }

  @Test(arguments: [
    "..", "../x.db", "sub/../../x.db", "out/x.db", "absolute/x.db", "absolute", "sub/up/../x.db",
  ])
  func pathOutOfTheRoot(path: String) throws {
    #expect(status { _ = try full(path) } == .outsideRoot)
  }

  @Test func pathThatCannotBe() throws {
    #expect(status { _ = try full("loop") } == .systemError)
    #expect(status { _ = try full("loop/x.db") } == .systemError)
    #expect(status { _ = try session.home.fullPathname([0x61, 0, 0x62]) } == .systemError)
    #expect(status { _ = try full(String(repeating: "a", count: 300)) } == .systemError)
    #expect(status { _ = try full(String(repeating: "a/", count: 520)) } == .systemError)
    // One that does not even fit a request is refused on this side, and hurts nothing.
    #expect(throws: CallError.failed(.notSent(.tooLong))) {
      _ = try session.home.fullPathname(Array(repeating: 0x61, count: 5000))
    }
    #expect(try full("x.db").path == "/x.db")
  }
}
