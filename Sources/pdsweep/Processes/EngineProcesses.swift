internal import Foundation
internal import SweepWorker
internal import Synchronization

/// Starts engines as processes of this program.
struct EngineProcesses: EngineLauncher {
  private let memoryKills = MemoryKills()
  private let arguments: [String]
  private let onLine: @Sendable (_ slot: Int, _ line: String) -> Void

  /// Creates a launcher.
  ///
  /// - Parameters:
  ///   - arguments: what `pdsweep` is called with, to be an engine.
  ///   - onLine: called, on any thread, for every line that an engine writes to standard error.
  init(arguments: [String] = ["engine"], onLine: @escaping @Sendable (_ slot: Int, _ line: String) -> Void) {
    self.arguments = arguments
    self.onLine = onLine
  }

  func launch(
    slot: Int, onEnd: @escaping @Sendable (EngineEnd) -> Void
  ) throws(EngineLaunchError) -> LaunchedEngine {
    let output = Pipe()
    let process: ChildProcess
    do {
      process = try ChildProcess(
        ChildProcess.program, arguments, output: output, onLine: { [onLine] in onLine(slot, $0) },
        onEnd: { [memoryKills] process, exit in onEnd(Self.end(of: process, exit, memoryKills)) })
    } catch {
      throw EngineLaunchError(description: "no engine can be started: \(error.localizedDescription)")
    }
    return LaunchedEngine(input: process.input, output: output.fileHandleForReading) { process.signal(SIGKILL) }
  }

  private static func end(of process: ChildProcess, _ exit: ChildProcess.Exit, _ memoryKills: MemoryKills) -> EngineEnd
  {
    let words = exit.lastWords.line
    var description = "the engine (process \(process.processIdentifier)) ended with \(exit.how)"
    var wantedMemory = words.map(Self.tellsOfMemory) ?? false
    if exit.how == .signal(SIGKILL), memoryKills.claim() {
      wantedMemory = true
      description += ", for want of memory"
    }
    if let words { description += "; its last words: \(words)" }
    return EngineEnd(description: description, wantedMemory: wantedMemory)
  }

  /// Whether a line is what allocators say that have no more to give.
  private static func tellsOfMemory(_ line: String) -> Bool {
    ["Cannot allocate memory", "cannot allocate memory", "Could not allocate memory", "out of memory", "bad_alloc"]
      .contains { line.contains($0) }
  }
}

/// Tells which processes the kernel killed for want of memory, as far as its counts do.
///
/// The kernel says how many it has killed, not which. Each count that was added since the last look accounts for one
/// process that ended by SIGKILL.
final class MemoryKills: Sendable {
  private let read: @Sendable () -> Int
  private let accounted: Mutex<Int>

  /// Counts from now on.
  ///
  /// - Parameter read: the kernel's count at the moment.
  init(read: @escaping @Sendable () -> Int = { MemoryKills.kernelCount }) {
    self.read = read
    accounted = Mutex(read())
  }

  /// Whether a process that ended by SIGKILL just now was killed for want of memory.
  func claim() -> Bool {
    let count = read()
    return accounted.withLock { accounted in
      guard count > accounted else { return false }
      accounted += 1
      return true
    }
  }

  /// Of this process's control group, or of the whole machine where it has none of its own.
  static var kernelCount: Int {
    let groups = (try? String(contentsOfFile: "/proc/self/cgroup", encoding: .utf8)) ?? ""
    let group = groups.split(separator: "\n").first { $0.hasPrefix("0::") }?.dropFirst(3) ?? "/"
    return count("/sys/fs/cgroup\(group)/memory.events") ?? count("/proc/vmstat") ?? 0
  }

  private static func count(_ path: String) -> Int? {
    guard let text = try? String(contentsOfFile: path, encoding: .utf8) else { return nil }
    return text.split(separator: "\n").first { $0.hasPrefix("oom_kill ") }.flatMap { Int($0.dropFirst(9)) }
  }
}
