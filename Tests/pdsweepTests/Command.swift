import Foundation
import Synchronization

/// A process of the program under test, in a laboratory's folder.
final class Command: Sendable {
  /// How it ended, and what it wrote.
  struct Outcome: Sendable {
    var status: Int32
    var wasKilled: Bool
    var output: String
    var errors: String
  }

  private let process: Process
  private let files: (output: URL, errors: URL)
  private let end = AsyncStream<Void>.makeStream()

  /// The program, which is built beside the tests.
  static let program: URL = {
    guard let tests = Bundle.main.executableURL else { preconditionFailure("the tests have no executable") }
    return tests.deletingLastPathComponent().appending(path: "pdsweep")
  }()

  /// Starts the program, or another, with more in its environment than the tests have, if so asked in a network
  /// namespace.
  init(
    _ arguments: [String], of program: URL = Command.program, in laboratory: Laboratory,
    environment more: [String: String] = [:], namespace: String? = nil
  ) throws {
    let name = UUID().uuidString
    files = (
      laboratory.folder.appending(path: "\(name).out"), laboratory.folder.appending(path: "\(name).err")
    )
    for file in [files.output, files.errors] { try Data().write(to: file) }
    process = Process()
    if let namespace {
      // It becomes the program: there is no process between.
      process.executableURL = URL(filePath: "/usr/bin/env")
      process.arguments = ["ip", "netns", "exec", namespace, program.path] + arguments
    } else {
      process.executableURL = program
      process.arguments = arguments
    }
    process.currentDirectoryURL = laboratory.folder
    var environment = ProcessInfo.processInfo.environment
    environment["PDSWEEP_TARGET_PATH"] = nil
    // Nothing of the user's is touched.
    environment["XDG_CACHE_HOME"] = laboratory.folder.appending(path: "caches").path
    process.environment = environment.merging(more) { _, new in new }
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = try FileHandle(forWritingTo: files.output)
    process.standardError = try FileHandle(forWritingTo: files.errors)
    process.terminationHandler = { [continuation = end.continuation] _ in continuation.finish() }
    try process.run()
  }

  /// A test that has failed leaves nothing running.
  deinit { killAll() }

  /// Kills it, with what it has started and left in its process group.
  private func killAll() {
    guard process.isRunning else { return }
    let leader = process.processIdentifier
    kill(getpgid(leader) == leader ? -leader : leader, SIGKILL)
  }

  /// Runs the program to its end.
  static func run(
    _ arguments: [String], in laboratory: Laboratory, environment more: [String: String] = [:]
  ) async throws -> Outcome {
    try await Command(arguments, in: laboratory, environment: more).outcome()
  }

  var processIdentifier: Int32 { process.processIdentifier }

  /// What it has written to standard error so far.
  var errors: String { get throws { try String(contentsOf: files.errors, encoding: .utf8) } }

  /// Sends it a signal.
  func signal(_ signal: Int32) {
    kill(process.processIdentifier, signal)
  }

  /// Waits for its end. How long it took says nothing; the bound only keeps a broken program from hanging the tests.
  func outcome() async throws -> Outcome {
    let bound = Task {
      try await Task.sleep(for: .seconds(300))
      killAll()
    }
    for await _ in end.stream {}
    bound.cancel()
    guard case .failure = await bound.result else {
      throw NeverHappened(what: "\(process.arguments ?? []) ends; it says \(try errors)")
    }
    return Outcome(
      status: process.terminationStatus, wasKilled: process.terminationReason == .uncaughtSignal,
      output: try String(contentsOf: files.output, encoding: .utf8), errors: try errors)
  }

  /// Returns when a condition holds that comes about while the process runs.
  func untilIt(_ does: String, _ condition: () throws -> Bool) async throws {
    try await eventually(does) {
      // Looked at first: what the process did last still counts.
      let isRunning = process.isRunning
      if try condition() { return true }
      guard isRunning else { throw NeverHappened(what: "\(does): it ended with \(try errors)") }
      return false
    }
  }

  /// Whether it has not ended.
  var isRunning: Bool { process.isRunning }

  /// The processes that it has started.
  var children: [Int32] { Self.children(of: processIdentifier) }

  /// The one process that it starts, once it has.
  func onlyChild() async throws -> Int32 {
    try await untilIt("starts a process") { !children.isEmpty }
    guard let child = children.first, children.count == 1 else { throw NeverHappened(what: "it has one child") }
    return child
  }

  /// The processes whose parent has an identifier.
  static func children(of parent: Int32) -> [Int32] {
    let entries = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
    return entries.compactMap(Int32.init).filter { process in
      status(of: process).contains("\nPPid:\t\(parent)\n")
    }
  }

  /// Whether a process is there and has not ended.
  static func isRunning(_ process: Int32) -> Bool {
    let status = status(of: process)
    return !status.isEmpty && !status.contains("\nState:\tZ")
  }

  private static func status(of process: Int32) -> String {
    (try? String(contentsOfFile: "/proc/\(process)/status", encoding: .utf8)) ?? ""
  }
}

/// A condition did not come about in any time that a machine may need.
struct NeverHappened: Error {
  let what: String
}

/// Returns when a condition holds. How long it took says nothing; the bound only keeps a broken program from hanging
/// the tests.
func eventually(_ what: String, _ condition: () throws -> Bool) async throws {
  let start = ContinuousClock.now
  while try !condition() {
    guard ContinuousClock.now - start < .seconds(120) else { throw NeverHappened(what: what) }
    try await Task.sleep(for: .milliseconds(5))
  }
}
