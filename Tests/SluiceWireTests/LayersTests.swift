// Tools/layers against small planted trees: it finds each kind of knot, and nothing in a clean tree.

import Foundation
import TestSupport
import Testing

@Suite struct LayersTests {
  @Test func aCleanTreePasses() throws {
    let run = try layers(over: [
      "Sources/SluiceWire/Words.swift": "public struct Words {}",
      "Sources/SluiceChannel/Ring.swift":
        "import SluiceWire\nstruct Ring { let slot: Slot }  // not a Slot's Ring",
      "Sources/SluiceChannel/Slot.swift":
        "struct Slot { let text = \"Ring\" }\n/* Ring /* Ring */ Ring */",
    ])
    #expect(run.status == 0)
    #expect(run.failures.isEmpty)
    #expect(run.output.contains("Sources/SluiceChannel: 2 concepts, largest circle 0\n"))
  }

  @Test func aCircleAcrossFoldersIsFound() throws {
    let run = try layers(over: [
      "Sources/SluiceFiles/Locks/Ladder.swift": "struct Ladder { var line: Line }",
      "Sources/SluiceFiles/Locks/Ladder+Steps.swift": "extension Ladder {}",
      "Sources/SluiceFiles/Waiting/Line.swift": "enum Line { case text(\"\\(Ladder.self)\") }",
    ])
    #expect(run.status == 1)
    #expect(
      run.failures == [
        "layers: Sources/SluiceFiles: Locks/Ladder, Waiting/Line: this circle leaves its folder"
      ])
  }

  @Test func foldersThatDependOnEachOtherAreFound() throws {
    let run = try layers(over: [
      "Sources/SluiceFiles/A/One.swift": "struct One { var two: Two }",
      "Sources/SluiceFiles/A/Three.swift": "struct Three {}",
      "Sources/SluiceFiles/B/Two.swift": "struct Two {}",
      "Sources/SluiceFiles/B/Four.swift": "struct Four { var three: Three }",
    ])
    #expect(run.status == 1)
    #expect(
      run.failures == ["layers: Sources/SluiceFiles: A, B: these folders depend on each other"])
  }

  @Test func aCircleOfFiveIsFoundAndOneOfFourIsAllowed() throws {
    for count in [4, 5] {
      var tree: [String: String] = [:]
      for number in 0..<count {
        tree["Sources/SluiceVFS/Part\(number).swift"] =
          "struct Part\(number) { func next() { Part\((number + 1) % count)() } }"
      }
      let run = try layers(over: tree)
      #expect(run.output.contains("largest circle \(count): Part0, Part1, Part2, Part3"))
      #expect(run.status == (count == 4 ? 0 : 1))
      #expect(run.failures.count == (count == 4 ? 0 : 1))
      if let failure = run.failures.first {
        #expect(failure.hasSuffix("this circle has 5 concepts, 4 are allowed"))
      }
    }
  }

  @Test func aMemberInAnExtensionOfAnothersTypeIsADependency() throws {
    let tree = [
      "Sources/SluiceVFS/File.swift": "struct File { func close() { forget() } }",
      "Sources/SluiceVFS/Memory.swift": "extension File { func forget() {} }",
    ]
    #expect(try layers(over: tree).output.contains("largest circle 2: File, Memory"))
    var withPrivate = tree
    withPrivate["Sources/SluiceVFS/Memory.swift"] = "extension File { private func forget() {} }"
    #expect(try layers(over: withPrivate).output.contains("largest circle 0"))
    var withLabel = tree
    withLabel["Sources/SluiceVFS/File.swift"] = "struct File { func close() { end(forget: 1) } }"
    #expect(try layers(over: withLabel).output.contains("largest circle 0"))
    var withTwo = tree
    withTwo["Sources/SluiceVFS/Other.swift"] = "struct Other { func forget() {} }"
    #expect(try layers(over: withTwo).output.contains("largest circle 0"))
  }

  @Test func anImportThatGoesUpIsFound() throws {
    let run = try layers(over: [
      "Sources/SluiceServer/Door.swift": "internal import SluiceFiles\nimport SluiceChannel",
      "Sources/SluiceFiles/Root.swift": "import struct SluiceServer.Door\nimport Foundation",
      "Sources/Cellar/Cellar.swift": "",
    ])
    #expect(run.status == 1)
    #expect(
      run.failures == [
        "layers: Sources/Cellar: has no floor in Tools/layers",
        "layers: Sources/SluiceServer: imports SluiceFiles, which does not stand below it",
      ])
  }

  @Test func aLongFileIsFound() throws {
    let line = "// one\n"
    let run = try layers(over: [
      "Sources/CSluice/long.c": String(repeating: line, count: 501),
      "Sources/CSluice/short.c": String(repeating: line, count: 500),
      "Tools/script": "#!/bin/sh\n" + String(repeating: "#\n", count: 500),
      "Tools/data": String(repeating: line, count: 501),
    ])
    #expect(run.status == 1)
    #expect(
      run.failures == [
        "layers: Sources/CSluice/long.c: has 501 lines, 500 are allowed",
        "layers: Tools/script: has 501 lines, 500 are allowed",
      ])
  }

  @Test func wrongUsageIsNoFinding() throws {
    #expect(try layers(["--nonsense"]).status == 64)
    #expect(try layers(["--root", "/nonexistent"]).status == 64)
    #expect(try layers(["--help"]).output.contains("usage: Tools/layers"))
  }

  @Test func theRepositoryPasses() throws {
    let run = try layers([])
    #expect(run.status == 0)
    #expect(run.failures.isEmpty)
  }

  // MARK: Running

  private struct Run {
    var status: Int32
    var output: String
    var failures: [String]
  }

  /// Runs the tool over a tree of files, given by path, that is removed afterwards.
  private func layers(over tree: [String: String]) throws -> Run {
    let root = FileManager.default.temporaryDirectory.appending(
      path: "sluice-layers-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: root) }
    for (path, text) in tree {
      let file = root.appending(path: path)
      try FileManager.default.createDirectory(
        at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
      try text.write(to: file, atomically: false, encoding: .utf8)
    }
    return try layers(["--root", root.path])
  }

  private func layers(_ arguments: [String]) throws -> Run {
    let process = Process()
    process.executableURL = repositoryFile("Tools/layers")
    process.arguments = arguments
    let output = Pipe()
    let errors = Pipe()
    process.standardOutput = output
    process.standardError = errors
    try process.run()
    // Neither fills its pipe: the trees are small.
    let text = output.fileHandleForReading.readDataToEndOfFile()
    let lines = errors.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    return Run(
      status: process.terminationStatus, output: String(decoding: text, as: UTF8.self),
      failures: String(decoding: lines, as: UTF8.self).split(separator: "\n").map(String.init))
  }
}
