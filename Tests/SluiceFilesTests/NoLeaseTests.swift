// What a sidecar does for a client where it may believe no lease.

import Foundation
import Glibc
import SluiceClient
import SluiceWire
import Testing

struct NoLeaseTests {
  /// A client that does not heed what it was told gets no more than one that does.
  @Test(.enabled(if: PassthroughMount.isPossible, "needs root, /dev/fuse and Tools/fuse/build"))
  func sidecarGivesNothingAwayWhereNoLeaseCounts() throws {
    var mount: PassthroughMount?
    let sidecar = try SidecarProcess { root in mount = try PassthroughMount(at: root) }
    defer {
      sidecar.destroy()
      mount?.end()
    }
    let file = try sidecar.connect().openChannel().openDatabase("a.db")
    #expect(!file.isLocal)
    let request = WALIndexMapRequest(
      byteCount: 0, extends: false, isReadOnly: false, wantsDescriptor: false)
    #expect(status { _ = try file.joinWALIndex(request) } == .misuse)
    #expect(status { try file.lockWALIndex(first: 0, count: 1, .exclusive) } == .misuse)
    try file.lock(.shared)
    #expect(try file.openWindow()?.region.isOwned == false)
    try file.unlock(.none)
  }
}

/// A directory that a daemon shows, at a place in this process's own tree.
private final class PassthroughMount {
  private static let program = SidecarProcess.build.appending(path: "bin/fuse-passthrough").path
  static let isPossible =
    geteuid() == 0 && FileManager.default.isWritableFile(atPath: "/dev/fuse")
    && FileManager.default.isExecutableFile(atPath: program)

  private let daemon = Process()
  private let place: String

  init(at place: URL) throws {
    self.place = place.path
    let source = place.deletingLastPathComponent().appending(path: "source")
    try FileManager.default.createDirectory(at: source, withIntermediateDirectories: true)
    let output = Pipe()
    daemon.executableURL = URL(filePath: Self.program)
    daemon.arguments = ["-o", "nocache", source.path, place.path]
    daemon.standardOutput = output
    daemon.standardError = FileHandle.nullDevice
    try daemon.run()
    guard output.fileHandleForReading.availableData == Data("ready\n".utf8) else {
      throw StartFailure("\(Self.program) did not start")
    }
  }

  func end() {
    kill(daemon.processIdentifier, SIGKILL)
    daemon.waitUntilExit()
    unsafe umount2(place, Int32(MNT_DETACH))
  }
}
