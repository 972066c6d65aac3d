// Tools/node: cojson's StorageAPI in JavaScript.

import Foundation
import Testing

struct RecordsFromNodeTests {
  private static let node = ["/usr/bin/node", "/usr/bin/nodejs", "/usr/local/bin/node"]
    .first { FileManager.default.isExecutableFile(atPath: $0) }
  private static let module = Fixture.build.appending(path: "node/sluice-records.js").path
  private static var isBuilt: Bool { FileManager.default.fileExists(atPath: module) }

  @Test(
    .enabled(if: node != nil, "Node is not installed"),
    .enabled(if: isBuilt, "no build/node; Tools/node/build makes it"))
  func storageDoesWhatCojsonAsks() throws {
    let fixture = try Fixture()
    let engine = try fixture.startEngine()
    var environment = fixture.engineEnvironment()
    environment["SLUICE_NODE_MODULE"] = Self.module
    environment["SLUICE_TEST_ENGINE"] = "\(engine.id)"
    try fixture.run(
      [Self.node!, Fixture.path("Tools/node/tests/storage.js")], environment, within: 120
    ).expectLines(["done"])
  }

  /// Nothing keeps Node running but what is under way, and that is finished.
  @Test(
    .enabled(if: node != nil, "Node is not installed"),
    .enabled(if: isBuilt, "no build/node; Tools/node/build makes it"))
  func programEndsWhenNothingIsUnderWay() throws {
    let fixture = try Fixture()
    let program = fixture.scratch.appending(path: "end.js")
    try """
    const { openRecordStorage } = require(process.env.SLUICE_NODE_MODULE);
    openRecordStorage(process.argv[2]).then((storage) => {
      storage.store(
        { id: "co_z1", header: { type: "comap", ruleset: { type: "unsafeAllowAll" } }, new: {} },
        () => undefined, () => console.log("stored"));
    });
    """.write(to: program, atomically: true, encoding: .utf8)
    var environment = fixture.engineEnvironment(private: true)
    environment["SLUICE_NODE_MODULE"] = Self.module
    try fixture.run(
      [Self.node!, program.path, fixture.inRoot("end.records").path], environment, within: 30
    ).expectLines(["stored"])
  }
}
