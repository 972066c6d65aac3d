// The README's examples do what it says. The tests run them as they stand there, but for the places
// of files, and in a directory in which `build` is the product's.

import Foundation
import Testing
import TestSupport

struct ReadmeTests {
  private func makeFixture() throws -> Fixture {
    let fixture = try Fixture()
    try FileManager.default.createSymbolicLink(
      at: fixture.outside.appending(path: "build"), withDestinationURL: Fixture.build)
    return fixture
  }

  /// A line or text of the README with this test's files instead of the reader's.
  private func here(_ text: String, _ fixture: Fixture) -> String {
    text.replacing("/srv/data", with: fixture.root.path)
      .replacing("/run/user/1000/sluice.socket", with: fixture.socket.path)
      .replacing("/run/user/1000/sql.socket", with: fixture.socket.path)
      .replacing("-- python3 ", with: "-- \(Fixture.pythonProgram) ")
  }

  /// Starts the shared sidecar, or the engine, as the README starts it.
  private func serve(_ fixture: Fixture, _ example: ReadmeExample) throws -> ChildProcess {
    let line = here(try #require(example.typed(after: "$ ").first), fixture)
    let sidecar = try fixture.start(["sh", "-c", line + "\nwait"], in: fixture.outside)
    let serves = eventually { !sidecar.output.isEmpty || !sidecar.isRunning }
    try #require(serves && sidecar.isRunning, "\(sidecar.errors)")
    return sidecar
  }

  /// A new example must get a test below.
  @Test func everyExampleIsTested() throws {
    #expect(try ReadmeExample.all().map(\.language) == ["", "", "", "python", "", "swift"])
  }

  @Test func shellExampleWorks() throws {
    let fixture = try makeFixture()
    let example = try ReadmeExample.all()[0]
    #expect(example.typed(after: "$ ") == ["sqlite3"])
    let lines = example.typed(after: "sqlite> ") + ["CREATE TABLE t(x);", ".vfsname"]
    let shell = try fixture.start([Fixture.sqliteProgram, "-batch"], in: fixture.outside)
    for line in lines { shell.say(line) }
    shell.closeInput()
    try shell.wait(within: 30).expectLines(["sluice"])
    #expect(fixture.exists(fixture.outside.appending(path: "app.db")))
  }

  @Test(arguments: [0, 1, 2])
  func runExampleWorks(index: Int) throws {
    let fixture = try makeFixture()
    let lines = try ReadmeExample.all()[1].typed(after: "$ ")
    #expect(lines.count == 3)
    let line = here(lines[index], fixture)
    if line.contains("--sandbox"), !hasLandlock { return }
    try """
    import sqlite3
    c = sqlite3.connect("/app.db" if "/app.db means" in '''\(line)''' else "app.db")
    c.execute("CREATE TABLE t(x)")
    print(c.execute("PRAGMA database_list").fetchone()[2])
    """.write(
      to: fixture.outside.appending(path: "app.py"), atomically: true, encoding: .utf8)
    let place = line.contains("--root") ? fixture.root : fixture.outside
    try fixture.run(["sh", "-c", line], in: fixture.outside)
      .expectLines([place.appending(path: "app.db").path])
  }

  @Test func pythonExampleWorks() throws {
    let fixture = try makeFixture()
    let examples = try ReadmeExample.all()
    let sidecar = try serve(fixture, examples[2])
    let program =
      here(examples[3].lines.joined(separator: "\n"), fixture)
      + "\ndb.execute('CREATE TABLE t(x)')\nprint(db.execute('SELECT count(*) FROM t').fetchone())"
    try fixture.run([Fixture.pythonProgram, "-c", program], in: fixture.outside)
      .expectLines(["(0,)"])
    #expect(fixture.exists(fixture.inRoot("app.db")))
    withExtendedLifetime(sidecar) {}
  }

  /// Compiled against the modules and objects of the build that this test is part of.
  @Test func swiftExampleWorks() throws {
    let fixture = try makeFixture()
    let examples = try ReadmeExample.all()
    let source = fixture.outside.appending(path: "main.swift")
    try here(examples[5].lines.joined(separator: "\n"), fixture)
      .write(to: source, atomically: true, encoding: .utf8)
    let products = URL(filePath: "/proc/self/exe").resolvingSymlinksInPath()
      .deletingLastPathComponent()
    let list = products.appending(path: "sluicePackageTests.product/Objects.LinkFileList")
    let targets = [
      "CSluice", "SluiceSystem", "SluiceWire", "SluiceChannel", "SluiceClient", "SluiceSQL",
    ]
    let objects = try String(contentsOf: list, encoding: .utf8).split(separator: "\n")
      .map { $0.trimmingCharacters(in: ["'"]) }
      .filter { object in targets.contains { object.contains("/\($0).build/") } }
    let program = fixture.outside.appending(path: "example")
    let moduleMap = products.appending(path: "CSluice.build/module.modulemap").path
    let compiled = try fixture.run(
      [
        "swiftc", "-swift-version", "6", "-I", products.appending(path: "Modules").path, "-Xcc",
        "-fmodule-map-file=\(moduleMap)", "-module-cache-path",
        fixture.scratch.appending(path: "modules").path, "-o", program.path, source.path,
      ] + objects, ["HOME": fixture.scratch.path], within: 300)
    compiled.expectSuccess()
    #expect(compiled.errors == "")
    let engine = try serve(fixture, examples[4])
    let shell = here(examples[4].typed(after: "$ ")[1], fixture)
    try fixture.run(["sh", "-c", shell], in: fixture.outside).expectSuccess()
    try fixture.run([program.path]).expectLines(["first"])
    #expect(fixture.exists(fixture.inRoot("app.db")))
    withExtendedLifetime(engine) {}
  }

  /// As a program's package has it: `SluiceSQL` is a product, and one import is enough.
  @Test(.enabled(if: Machine.runsLongTests, "builds for a minute; set SLUICE_LONG_TESTS=1"))
  func swiftExampleWorksInAPackage() throws {
    let fixture = try makeFixture()
    let examples = try ReadmeExample.all()
    let package = fixture.outside.appending(path: "example")
    let sources = package.appending(path: "Sources/example")
    try FileManager.default.createDirectory(at: sources, withIntermediateDirectories: true)
    try here(examples[5].lines.joined(separator: "\n"), fixture).write(
      to: sources.appending(path: "main.swift"), atomically: true, encoding: .utf8)
    let repository = repositoryFile("").standardizedFileURL
    try """
    // swift-tools-version: 6.2
    import PackageDescription

    let package = Package(
      name: "example",
      dependencies: [.package(name: "sluice", path: "\(repository.path)")],
      targets: [
        .executableTarget(
          name: "example", dependencies: [.product(name: "SluiceSQL", package: "sluice")])
      ])
    """.write(to: package.appending(path: "Package.swift"), atomically: true, encoding: .utf8)
    try fixture.run(
      ["swift", "build"], ["HOME": fixture.scratch.path], in: package, within: 900
    ).expectSuccess()
    let engine = try serve(fixture, examples[4])
    let shell = here(examples[4].typed(after: "$ ")[1], fixture)
    try fixture.run(["sh", "-c", shell], in: fixture.outside).expectSuccess()
    try fixture.run([package.appending(path: ".build/debug/example").path]).expectLines(["first"])
    withExtendedLifetime(engine) {}
  }
}
