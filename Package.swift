// swift-tools-version: 6.2
// Two builds of the same sources. The ordinary one makes the `sluice` command, its harness and benchmarks,
// the Swift libraries and the tests. With SLUICE_EMBEDDED=1 the client-side targets become libsluice.so in Embedded
// Swift, which needs libc and nothing else. SLUICE_FUZZ=1 adds the fuzzers to the ordinary build; see
// Tools/fuzz.

import PackageDescription

let embedded = Context.environment["SLUICE_EMBEDDED"] == "1"
let fuzz = Context.environment["SLUICE_FUZZ"] == "1"

let swiftSettings: [SwiftSetting] = [.strictMemorySafety(), .treatAllWarnings(as: .error)]
let clientSettings =
  swiftSettings
  + (embedded
    ? [
      .enableExperimentalFeature("Embedded"),
      // So that the linker leaves out what the library does not call.
      .unsafeFlags(["-wmo", "-Xfrontend", "-function-sections"]),
    ] : [])
// Of what is called once a message, not once a row, the smaller code is the better.
let smallSettings =
  clientSettings + (embedded ? [.unsafeFlags(["-Osize"])] : [])
let cSettings: [CSetting] =
  [.define("_GNU_SOURCE")]
  // C waits for system calls; what is hot is inline, in headers that Swift compiles.
  + (embedded
    ? [
      .unsafeFlags([
        "-Wall", "-Wextra", "-Werror", "-fvisibility=hidden", "-Os", "-ffunction-sections",
      ])
    ] : [])

/// A library exports what its exports.map says, and has all that it calls, and equal functions once.
func libraryLinking(_ target: String) -> [LinkerSetting] {
  guard embedded else { return [] }
  return [
    .unsafeFlags([
      "-Xlinker", "--gc-sections", "-Xlinker", "--icf=safe", "-Xlinker", "-z", "-Xlinker", "defs",
      "-Xlinker",
      "--version-script=\(Context.packageDirectory)/Sources/\(target)/exports.map",
    ])
  ]
}

let clientTargets: [Target] = [
  .target(name: "CSluice", cSettings: cSettings),
  .target(name: "CSQLite", cSettings: cSettings),
  .target(name: "SluiceSystem", dependencies: ["CSluice"], swiftSettings: clientSettings),
  .target(
    name: "SluiceWire", dependencies: ["CSluice"], swiftSettings: clientSettings),
  .target(
    name: "SluiceChannel", dependencies: ["CSluice", "SluiceSystem", "SluiceWire"],
    swiftSettings: clientSettings),
  .target(
    name: "SluiceClient", dependencies: ["CSluice", "SluiceChannel"], swiftSettings: clientSettings),
  .target(
    name: "SluiceSQL", dependencies: ["CSluice", "SluiceClient"],
    // Swift's own engines need what Embedded Swift does not have.
    exclude: embedded ? ["Engine"] : [], swiftSettings: clientSettings),
  .target(
    name: "SluiceRecords", dependencies: ["CSluice", "SluiceClient"],
    // Tasks wait as Embedded Swift cannot.
    exclude: embedded ? ["Storage/RecordStorage+Async.swift", "Storage/SidecarRecords.swift"] : [],
    swiftSettings: smallSettings),
  // What the C interfaces have in common.
  .target(name: "CSluiceLibrary", cSettings: cSettings),
  .target(
    name: "SluiceLibrary", dependencies: ["CSluice", "CSluiceLibrary", "SluiceClient"],
    swiftSettings: clientSettings),
  .target(
    name: "CSluiceSQL", dependencies: ["CSluice", "CSluiceLibrary"], cSettings: cSettings),
  .target(
    name: "SluiceSQLLibrary",
    dependencies: ["CSluice", "CSluiceSQL", "SluiceClient", "SluiceLibrary", "SluiceSQL"],
    exclude: ["exports.map"], swiftSettings: clientSettings,
    linkerSettings: libraryLinking("SluiceSQLLibrary")),
  .target(
    name: "CSluiceRecords", dependencies: ["CSluice", "CSluiceLibrary"], cSettings: cSettings),
  .target(
    name: "SluiceRecordsLibrary",
    dependencies: ["CSluice", "CSluiceRecords", "SluiceClient", "SluiceLibrary", "SluiceRecords"],
    exclude: ["exports.map"], swiftSettings: smallSettings,
    linkerSettings: libraryLinking("SluiceRecordsLibrary")),
  .target(
    name: "SluiceVFS",
    dependencies: ["CSluice", "CSQLite", "SluiceChannel", "SluiceClient"]
      + (embedded ? ["CSluicePreload"] : []),
    exclude: ["exports.map"],
    swiftSettings: clientSettings,
    linkerSettings: libraryLinking("SluiceVFS")),
]

// Interposes calls of SQLite and of the C library, which no program of ours but libsluice.so may do.
let embeddedTargets: [Target] = [
  .target(name: "CSluicePreload", dependencies: ["CSluice"], cSettings: cSettings)
]

let hostTargets: [Target] = [
  .target(
    name: "SluiceServer", dependencies: ["CSluice", "SluiceChannel"], swiftSettings: swiftSettings),
  .target(
    name: "SluiceFiles", dependencies: ["CSluice", "SluiceServer"], swiftSettings: swiftSettings),
  .target(
    name: "CEngine", cSettings: cSettings, linkerSettings: [.linkedLibrary("sqlite3")]),
  // What engine and plugins say to each other, and the processes of plugins.
  .target(name: "CPlugin", dependencies: ["CSluice"], cSettings: cSettings),
  // JSON texts without loss: what engine and command read of them.
  .target(name: "SluiceJSON", swiftSettings: swiftSettings),
  // The client of documents: it links Automerge, and no SQLite.
  .target(
    name: "SluiceDocuments", dependencies: ["CSluice", "SluiceAutomerge", "SluiceClient"],
    swiftSettings: swiftSettings),
  .target(
    name: "SluiceEngine",
    dependencies: [
      "CCrypto", "CEngine", "CPlugin", "CSluice", "SluiceAutomerge", "SluiceDocuments",
      "SluiceJSON", "SluiceRecords", "SluiceSQL", "SluiceServer", "SluiceVFS",
    ],
    swiftSettings: swiftSettings),
  // Both linked from the archives, so that programs need libc only.
  .target(
    name: "CAutomerge", cSettings: cSettings, linkerSettings: [.linkedLibrary(":libz.a")]),
  .target(
    name: "CCrypto", cSettings: cSettings, linkerSettings: [.linkedLibrary(":libcrypto.a")]),
  .target(
    name: "SluiceAutomerge", dependencies: ["CAutomerge", "CCrypto"], swiftSettings: swiftSettings),
  .target(name: "CSluiceCommand", cSettings: cSettings),
  .target(
    name: "SluiceCommand", dependencies: ["CSluice", "CSluiceCommand", "SluiceSystem"],
    swiftSettings: swiftSettings),
  .executableTarget(
    name: "sluice",
    dependencies: [
      "CSluiceCommand", "SluiceAutomerge", "SluiceClient", "SluiceCommand", "SluiceDocuments",
      "SluiceFiles", "SluiceJSON", "SluiceRecords", "SluiceSQL",
    ],
    swiftSettings: swiftSettings),
  .executableTarget(
    name: "sluice-engine", dependencies: ["CSluice", "SluiceCommand", "SluiceEngine"],
    swiftSettings: swiftSettings),
  // What harness and benchmarks share.
  .target(
    name: "ToolSupport", dependencies: ["CSQLite", "CSluice", "SluiceCommand", "SluiceSystem"],
    path: "Tools/support", swiftSettings: swiftSettings),
  .executableTarget(
    name: "sluice-harness",
    dependencies: [
      "CSQLite", "CSluice", "SluiceClient", "SluiceCommand", "SluiceRecords", "SluiceSQL",
      "ToolSupport",
    ],
    path: "Tools/harness", exclude: ["README.md"], swiftSettings: swiftSettings),
  .executableTarget(
    name: "sluice-bench",
    dependencies: [
      "CSQLite", "CSluice", "CSluiceCommand", "CSluiceSQL", "SluiceAutomerge", "SluiceClient",
      "SluiceCommand", "SluiceDocuments", "SluiceRecords", "SluiceSQL", "ToolSupport",
    ],
    path: "Tools/bench", exclude: ["README.md", "results"], swiftSettings: swiftSettings),
  .executableTarget(
    name: "automerge-bench", dependencies: ["AutomergeScenarios", "SluiceAutomerge"],
    path: "Tools/automerge", swiftSettings: swiftSettings),
  // Random histories, for tests and automerge-bench.
  .target(
    name: "AutomergeScenarios", dependencies: ["SluiceAutomerge", "TestSupport"],
    path: "Tools/automerge-scenarios", swiftSettings: swiftSettings),
  .executableTarget(
    name: "stress", dependencies: ["CSQLite"], path: "Tools/stress", swiftSettings: swiftSettings,
    linkerSettings: [.linkedLibrary("sqlite3")]),
  .target(
    name: "TestSupport", dependencies: ["SluiceWire"], path: "Tests/TestSupport",
    swiftSettings: swiftSettings),
  // An engine in the test's process, for records and documents.
  .target(
    name: "EngineTestSupport", dependencies: ["SluiceClient", "SluiceEngine", "SluiceServer"],
    path: "Tests/EngineTestSupport", swiftSettings: swiftSettings),
  .testTarget(
    name: "SluiceWireTests", dependencies: ["CSluice", "SluiceWire", "TestSupport"],
    swiftSettings: swiftSettings),
  .testTarget(
    name: "SluiceChannelTests", dependencies: ["CSluice", "SluiceChannel", "TestSupport"],
    swiftSettings: swiftSettings),
  .testTarget(
    name: "SluiceServerTests",
    dependencies: ["SluiceChannel", "SluiceClient", "SluiceServer", "TestSupport"],
    swiftSettings: swiftSettings),
  .testTarget(
    name: "SluiceFilesTests",
    dependencies: ["SluiceChannel", "SluiceFiles", "SluiceClient", "TestSupport"],
    swiftSettings: swiftSettings),
  .testTarget(
    name: "SluiceEngineTests",
    dependencies: [
      "CEngine", "SluiceEngine", "SluiceJSON", "SluiceSQL", "SluiceServer", "TestSupport",
    ],
    swiftSettings: swiftSettings),
  .testTarget(
    name: "SluiceRecordsTests",
    dependencies: [
      "CEngine", "EngineTestSupport", "SluiceEngine", "SluiceRecords", "SluiceServer",
      "TestSupport",
    ],
    swiftSettings: swiftSettings),
  .testTarget(
    name: "SluiceDocumentsTests",
    dependencies: [
      "EngineTestSupport", "SluiceAutomerge", "SluiceDocuments", "SluiceEngine", "SluiceJSON",
      "SluiceServer", "TestSupport",
    ],
    swiftSettings: swiftSettings),
  .testTarget(
    name: "SluiceAutomergeTests",
    dependencies: ["AutomergeScenarios", "SluiceAutomerge", "TestSupport"],
    swiftSettings: swiftSettings),
  // Nearly all users' tests: stock programs with libsluice.so, as Tools/build has made it.
  .testTarget(
    name: "SluiceVFSTests",
    dependencies: ["SluiceAutomerge", "SluiceDocuments", "SluiceVFS", "TestSupport"],
    swiftSettings: swiftSettings),
]

let fuzzTargets: [Target] = [
  .executableTarget(
    name: "fuzzers",
    dependencies: [
      "CEngine", "CPlugin", "CSluice", "SluiceAutomerge", "SluiceWire", "SluiceChannel",
      "SluiceClient", "SluiceDocuments", "SluiceServer", "SluiceFiles", "SluiceEngine",
      "SluiceJSON", "SluiceSQL", "SluiceVFS", "TestSupport",
    ],
    path: "Tools/fuzzers", swiftSettings: swiftSettings)
]

let package = Package(
  name: "sluice",
  products: embedded
    ? [
      .library(name: "sluice", type: .dynamic, targets: ["SluiceVFS"]),
      .library(name: "sluice-sql", type: .dynamic, targets: ["SluiceSQLLibrary"]),
      .library(name: "sluice-records", type: .dynamic, targets: ["SluiceRecordsLibrary"]),
    ]
    : [
      .executable(name: "sluice", targets: ["sluice"]),
      .executable(name: "sluice-engine", targets: ["sluice-engine"]),
      .executable(name: "sluice-harness", targets: ["sluice-harness"]),
      .executable(name: "sluice-bench", targets: ["sluice-bench"]),
      .library(name: "SluiceClient", targets: ["SluiceClient"]),
      .library(name: "SluiceSQL", targets: ["SluiceSQL"]),
      .library(name: "SluiceRecords", targets: ["SluiceRecords"]),
      .library(name: "SluiceDocuments", targets: ["SluiceDocuments"]),
      .library(name: "SluiceEngine", targets: ["SluiceEngine"]),
      .library(name: "SluiceAutomerge", targets: ["SluiceAutomerge"]),
    ],
  targets: clientTargets + (embedded ? embeddedTargets : hostTargets) + (fuzz ? fuzzTargets : [])
)
