// swift-tools-version: 6.2
import PackageDescription

/// Whether deploy/fuzz.sh builds: what it builds links only with libFuzzer.
let isFuzzing = Context.environment["PDSWEEP_FUZZ"] != nil

/// Settings of every target of ours: Swift 6 mode, strict memory safety, explicit existentials and imports,
/// and no warning left standing.
let strict: [SwiftSetting] =
  [
    .swiftLanguageMode(.v6),
    .strictMemorySafety(),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .treatAllWarnings(as: .error),
    // Several times as many inputs a second; dependencies are built as they are.
  ] + (isFuzzing ? [.unsafeFlags(["-O"])] : [])

/// Settings of C targets, which are fast in debug builds too.
let fastC: [CSetting] = [.unsafeFlags(["-O3", "-Wall", "-Wextra", "-Werror"])]

let argumentParser = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")
let deque = Target.Dependency.product(name: "DequeModule", package: "swift-collections")
let grdb = Target.Dependency.product(name: "GRDB", package: "GRDB.swift")
let heap = Target.Dependency.product(name: "HeapModule", package: "swift-collections")
let logging = Target.Dependency.product(name: "Logging", package: "swift-log")
let protobuf = Target.Dependency.product(name: "SwiftProtobuf", package: "swift-protobuf")
let yams = Target.Dependency.product(name: "Yams", package: "Yams")

let package = Package(
  name: "pdsweep",
  products: [.executable(name: "pdsweep", targets: ["pdsweep"])],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
    .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
    .package(url: "https://github.com/apple/swift-protobuf", from: "1.39.0"),
    .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
    .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
  ],
  targets: [
    // System libraries and C.
    .systemLibrary(name: "CBLAS", pkgConfig: "openblas", providers: [.apt(["libopenblas-dev"])]),
    .systemLibrary(name: "CSodium", pkgConfig: "libsodium", providers: [.apt(["libsodium-dev"])]),
    .systemLibrary(name: "CTerminal"),
    .systemLibrary(name: "CZeroMQ", providers: [.apt(["libzmq3-dev"])]),
    .target(name: "CContentHash", cSettings: fastC),
    .target(name: "CTensorKernels", cSettings: fastC),

    // Values and decisions.
    .target(name: "ContentHash", dependencies: ["CContentHash", "CSodium"], swiftSettings: strict),
    .target(name: "SettingsFiles", dependencies: [yams], swiftSettings: strict),
    .target(name: "SweepCore", dependencies: ["ContentHash", "SettingsFiles", heap], swiftSettings: strict),

    // The engine.
    .target(name: "TensorKernels", dependencies: ["CBLAS", "CTensorKernels"], swiftSettings: strict),
    .target(
      name: "LanguageModel", dependencies: ["ContentHash", "TensorKernels", heap, yams], swiftSettings: strict),
    .target(
      name: "ParameterDecomposition", dependencies: ["ContentHash", "LanguageModel", "SettingsFiles", "TensorKernels"],
      swiftSettings: strict),

    // Messages, sockets, storage.
    .target(
      name: "SweepWire", dependencies: ["SweepCore", "ContentHash", protobuf],
      exclude: ["README.md", "messages.proto"], swiftSettings: strict),
    .target(name: "ZeroMQTransport", dependencies: ["SweepWire", "CZeroMQ"], swiftSettings: strict),
    .target(name: "SweepStore", dependencies: ["SweepCore", "ContentHash", grdb], swiftSettings: strict),

    // The two ends of a sweep, and what comes out of it.
    .target(
      name: "SweepCoordinator", dependencies: ["SweepCore", "SweepWire", "SweepStore", "ContentHash", deque, logging],
      swiftSettings: strict),
    .target(
      name: "SweepWorker", dependencies: ["SweepCore", "SweepWire", "LanguageModel", "ContentHash", logging],
      swiftSettings: strict),
    .target(name: "SweepReport", dependencies: ["SweepCore"], swiftSettings: strict),
    .target(
      name: "SweepSimulation",
      dependencies: ["SweepCore", "SweepWire", "SweepStore", "SweepCoordinator", "SweepWorker", "ContentHash", heap],
      swiftSettings: strict),

    .executableTarget(
      name: "pdsweep",
      dependencies: [
        "CTerminal", "ContentHash", "LanguageModel", "ParameterDecomposition", "SettingsFiles", "SweepCoordinator",
        "SweepCore", "SweepReport", "SweepSimulation", "SweepStore", "SweepWire", "SweepWorker", "TensorKernels",
        "ZeroMQTransport", argumentParser, logging,
      ],
      // The targets that come with the program: TargetShelves finds them beside it.
      resources: [.copy("Targets")], swiftSettings: strict),

    // What several test targets need.
    .target(name: "TestSupport", path: "Tests/TestSupport", swiftSettings: strict),

    .testTarget(name: "ContentHashTests", dependencies: ["ContentHash"], swiftSettings: strict),
    .testTarget(name: "SettingsFilesTests", dependencies: ["SettingsFiles"], swiftSettings: strict),
    .testTarget(
      name: "SweepCoreTests", dependencies: ["SweepCore", "SettingsFiles", "ContentHash", "TestSupport"],
      resources: [.copy("Golden")], swiftSettings: strict),
    .testTarget(name: "TensorKernelsTests", dependencies: ["TensorKernels"], swiftSettings: strict),
    .testTarget(
      name: "LanguageModelTests", dependencies: ["LanguageModel", "TensorKernels", "ContentHash"],
      resources: [.copy("Golden")], swiftSettings: strict),
    .testTarget(
      name: "ParameterDecompositionTests",
      dependencies: ["ParameterDecomposition", "LanguageModel", "SettingsFiles", "TensorKernels", "ContentHash"],
      swiftSettings: strict),
    .testTarget(
      name: "SweepWireTests", dependencies: ["SweepWire", "SweepCore", "ContentHash", "TestSupport"],
      swiftSettings: strict),
    .testTarget(
      name: "ZeroMQTransportTests",
      dependencies: ["ZeroMQTransport", "SweepWire", "SweepCore", "ContentHash", "CZeroMQ"], swiftSettings: strict),
    .testTarget(
      name: "SweepWorkerTests",
      dependencies: ["SweepWorker", "SweepWire", "SweepCore", "ContentHash", "TestSupport", logging],
      swiftSettings: strict),
    .testTarget(
      name: "SweepStoreTests", dependencies: ["SweepStore", "SweepCore", "ContentHash", grdb], swiftSettings: strict),
    .testTarget(
      name: "SweepReportTests", dependencies: ["SweepReport", "SweepCore", "ContentHash", "TestSupport"],
      swiftSettings: strict),
    .testTarget(
      name: "SweepCoordinatorTests",
      dependencies: [
        "SweepCoordinator", "SweepWorker", "SweepCore", "SweepWire", "SweepStore", "ContentHash", "TestSupport",
        logging,
      ],
      swiftSettings: strict),
    .testTarget(name: "SweepSimulationTests", dependencies: ["SweepSimulation"], swiftSettings: strict),
    .testTarget(
      name: "pdsweepTests",
      dependencies: [
        "pdsweep", "ContentHash", "LanguageModel", "ParameterDecomposition", "SettingsFiles", "SweepCoordinator",
        "SweepCore", "SweepReport", "SweepStore", "SweepWire", "SweepWorker",
      ],
      swiftSettings: strict),
  ]
)

if isFuzzing {
  package.targets += [
    .systemLibrary(name: "CFuzzer", path: "Tests/Fuzz/CFuzzer"),
    .executableTarget(
      name: "FuzzMessages",
      dependencies: ["CFuzzer", "SweepCoordinator", "SweepStore", "SweepWire", "SweepCore", "ContentHash"],
      path: "Tests/Fuzz/FuzzMessages", swiftSettings: strict),
  ]
}
