// The one name of a file, whatever it was called: its path on the host.

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
    for (name, target) in [
      ("current", "/sub/deep"), ("sub/home", ""), ("abs-file", "/sub/deep/x.db"),
      ("via", "/current"), ("around", "/around"), ("leap", "/../.."), ("beside", "2/sub"),
    ] {
      try files.createSymbolicLink(
        atPath: sidecar.file(name).path, withDestinationPath: sidecar.root.path + target)
    }
  }

  private func full(_ path: String) throws -> (path: String, isThroughLink: Bool) {
    let answer = try session.home.fullPathname(Array(path.utf8))
    return (String(decoding: answer.path, as: UTF8.self), answer.isThroughLink)
  }

  /// `inner` below the root, as the host has it.
  private func onHost(_ inner: String) -> String {
    inner == "/" ? sidecar.root.path : sidecar.root.path + inner
  }

  @Test(arguments: [
    ("x.db", "/x.db"), ("/x.db", "/x.db"), ("//x.db", "/x.db"), ("./x.db", "/x.db"),
    ("sub/deep/../x.db", "/sub/x.db"), ("sub/./deep//x.db", "/sub/deep/x.db"), ("/", "/"),
    (".", "/"), ("sub/..", "/"), ("sub", "/sub"), ("none/x.db", "/none/x.db"),
    ("none/../x.db", "/x.db"), ("a b%?ü.db", "/a b%?ü.db"),
  ])
  func plainPath(path: String, expected: String) throws {
    let answer = try full(path)
    #expect(answer.path == onHost(expected))
    #expect(!answer.isThroughLink)
  }

  @Test(arguments: [
    ("/x.db", "/x.db"), ("//x.db", "/x.db"), ("/./x.db", "/x.db"),
    ("/sub/deep/../x.db", "/sub/x.db"),
    ("", "/"), ("/", "/"), ("/.", "/"), ("/sub", "/sub"), ("/none/x.db", "/none/x.db"),
  ])
  func pathThatBeginsLikeTheRoot(rest: String, expected: String) throws {
    let answer = try full(sidecar.root.path + rest)
    #expect(answer.path == onHost(expected))
    #expect(!answer.isThroughLink)
    // A full name is its own full name.
    #expect(try full(answer.path).path == answer.path)
  }

  @Test(arguments: [
    ("/link/x.db", "/sub/x.db"), ("/chain", "/sub/deep/x.db"), ("/dangling", "/nowhere/x.db"),
  ])
  func pathThatBeginsLikeTheRootAndLeadsThroughLinks(rest: String, expected: String) throws {
    let answer = try full(sidecar.root.path + rest)
    #expect(answer.path == onHost(expected))
    #expect(answer.isThroughLink)
  }

  @Test(arguments: ["/..", "/../x.db", "/sub/../../x.db", "/out/x.db", "/absolute/x.db"])
  func pathThatBeginsLikeTheRootAndLeadsOut(rest: String) throws {
    #expect(status { _ = try full(sidecar.root.path + rest) } == .outsideRoot)
  }

  @Test func hostsPathOpensTheSameFile() throws {
    let file = try session.home.openDatabase("sub/x.db")
    try file.write([1, 2, 3], at: 0)
    for name in ["/sub/x.db", onHost("/sub/x.db"), onHost("/sub/deep/../x.db")] {
      let same = try session.home.openDatabase(name)
      #expect(try same.read(5, at: 0) == [1, 2, 3], "\(name)")
      // One file has one table of locks.
      try file.lock(.shared)
      try file.lock(.reserved)
      #expect(try same.isReserved())
      try file.unlock(.none)
      try same.close()
    }
    let home = session.home
    #expect(try home.access(Array(onHost("/sub/x.db").utf8), .readWrite))
    try home.delete(Array(onHost("/sub/x.db").utf8), syncDirectory: false)
    #expect(try !home.access(Array("sub/x.db".utf8), .exists))
  }

  /// `/srv/data2/x` has nothing to do with the root `/srv/data`, nor has `/srv`: beneath the root
  /// they are names like others.
  @Test func pathThatMerelyBeginsLikeTheRootIsNotStripped() throws {
    let beside = sidecar.root.path + "2"
    #expect(try full(beside).path == onHost(beside))
    #expect(try full(beside + "/x.db").path == onHost(beside + "/x.db"))
    #expect(status { _ = try session.home.openDatabase(beside + "/x.db") } == .notFound)
    let above = sidecar.root.deletingLastPathComponent().path
    #expect(try full(above + "/x.db").path == onHost(above + "/x.db"))

    let files = FileManager.default
    for directory in [URL(filePath: beside), sidecar.file(beside)] {
      try files.createDirectory(at: directory, withIntermediateDirectories: true)
    }
    try session.home.openDatabase(beside + "/x.db").write([1], at: 0)
    #expect(!files.fileExists(atPath: beside + "/x.db"))
    #expect(files.fileExists(atPath: onHost(beside + "/x.db")))
  }

  @Test(arguments: [
    ("link/x.db", "/sub/x.db"), ("file-link", "/sub/deep/x.db"), ("chain", "/sub/deep/x.db"),
    ("sub/up/x.db", "/x.db"), ("sub/up/link/deep/x.db", "/sub/deep/x.db"),
    ("dangling", "/nowhere/x.db"), ("none/../link/x.db", "/sub/x.db"),
    ("none/../dangling", "/nowhere/x.db"),
  ])
  func pathThroughLinks(path: String, expected: String) throws {
    let answer = try full(path)
    #expect(answer.path == onHost(expected))
    #expect(answer.isThroughLink)
  }

  /// Such a link is the usual `current -> /srv/data/releases/7`.
  @Test(arguments: [
    ("current/x.db", "/sub/deep/x.db"), ("current/../x.db", "/sub/x.db"), ("current", "/sub/deep"),
    ("sub/home/x.db", "/x.db"), ("sub/home/sub/home/current/x.db", "/sub/deep/x.db"),
    ("abs-file", "/sub/deep/x.db"), ("via/x.db", "/sub/deep/x.db"), ("link/home/link", "/sub"),
  ])
  func absoluteLinkThatLeadsBackIsFollowed(path: String, expected: String) throws {
    for path in [path, sidecar.root.path + "/" + path] {
      let answer = try full(path)
      #expect(answer.path == onHost(expected))
      #expect(answer.isThroughLink)
    }
  }

  @Test(arguments: [
    "leap/x.db", "leap", "beside/x.db", "beside", "sub/home/../x.db", "current/../../../x.db",
  ])
  func absoluteLinkThatLeadsOutIsRefused(path: String) throws {
    #expect(status { _ = try full(path) } == .outsideRoot)
    #expect(status { _ = try session.home.openDatabase(path + "/y.db") } == .outsideRoot)
  }

  @Test func absoluteLinksInACircleEnd() throws {
    #expect(status { _ = try full("around") } == .systemError)
    #expect(status { _ = try full("around/x.db") } == .systemError)
    #expect(try full("x.db").path == onHost("/x.db"))
  }

  @Test func rootHasTheNameByWhichItWasGivenWhileThatLeadsThere() throws {
    let files = FileManager.default
    let link = sidecar.directory.appending(path: "link-to-root").path
    try files.createSymbolicLink(atPath: link, withDestinationPath: "root")
    let socket = sidecar.directory.appending(path: "second").path
    let second = Process()
    second.executableURL = SidecarProcess.build.appending(path: "bin/sluice")
    second.arguments = ["serve", "--quiet", "--root", link, "--socket", socket]
    try second.run()
    defer { second.terminate() }
    let name = socket.utf8.map { CChar(bitPattern: $0) } + [0]
    var connected: Session?
    for _ in 0..<2000 where connected == nil {
      connected = try? Session.connect(toSocket: name)
      if connected == nil { usleep(5000) }
    }
    let home = try #require(connected).home
    func full(_ path: String) throws -> String {
      String(decoding: try home.fullPathname(Array(path.utf8)).path, as: UTF8.self)
    }
    #expect(try full(link + "/sub/x.db") == onHost("/sub/x.db"))
    #expect(try full(link) == onHost("/"))
    #expect(try full(link + "2/x.db") == onHost(link + "2/x.db"))
    #expect(status { _ = try full(link + "/../x.db") } == .outsideRoot)
    // Another directory has the name now, so it means a file of that one, which is not served.
    try files.removeItem(atPath: link)
    try files.createSymbolicLink(atPath: link, withDestinationPath: "root/sub")
    #expect(try full(link + "/x.db") == onHost(link + "/x.db"))
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
    #expect(try full("x.db").path == onHost("/x.db"))
  }
}
