internal import Foundation
internal import Glibc
internal import Synchronization

/// The benchmark cannot be carried out.
struct BenchError: Error, CustomStringConvertible {
  /// One line for people.
  let description: String

  init(_ description: String) {
    self.description = description
  }
}

/// A process of the benchmark, spoken to in lines.
final class BenchPart: Sendable {
  private let name: String
  private let process: ChildProcess
  private let heard: Heard

  /// Starts a part.
  ///
  /// - Throws: what the system says.
  init(_ name: String, _ arguments: [String], in place: BenchPlace) throws {
    self.name = name
    let heard = Heard()
    let output = Pipe()
    process = try ChildProcess(
      ChildProcess.program, ["bench", "part", name] + arguments, output: output, onLine: { _ in },
      onEnd: { process, exit in
        place.forget(process.processIdentifier)
        heard.state.withLock { $0.exit = exit }
      })
    place.watch(process.processIdentifier)
    self.heard = heard
    let reader = Thread { heard.read(output.fileHandleForReading) }
    reader.stackSize = 256 << 10
    reader.start()
  }

  /// A part that nobody speaks to any more is of no use.
  deinit {
    end()
  }

  /// Its number.
  var processIdentifier: Int32 { process.processIdentifier }

  /// Tells it something.
  func say(_ line: String) throws {
    try process.input.write(contentsOf: Data((line + "\n").utf8))
  }

  /// Sends it a signal.
  func signal(_ signal: Int32) {
    process.signal(signal)
  }

  /// Kills it. Returns at once.
  func end() {
    process.signal(SIGKILL)
  }

  /// Waits for a line that begins with a word, and returns the rest of it. Lines before it are forgotten.
  ///
  /// - Throws: ``BenchError`` if there is none within the time, or the part ends before.
  func line(_ word: String, within time: Duration) async throws -> String {
    let start = ContinuousClock.now
    while true {
      let exit = heard.state.withLock(\.exit)
      if let rest = heard.take(word) { return rest }
      if let exit {
        throw BenchError(
          "the \(name) process ended with \(exit.how)" + (exit.lastWords.line.map { "; its last words: \($0)" } ?? ""))
      }
      guard ContinuousClock.now - start < time else {
        throw BenchError("expected \"\(word)\" of the \(name) process within \(time), found nothing of the kind")
      }
      // Moments that are measured are told by the parts themselves.
      try await Task.sleep(for: .milliseconds(2))
    }
  }

  /// What it has said.
  private final class Heard: Sendable {
    struct State {
      var lines: [String] = []
      var exit: ChildProcess.Exit?
    }

    let state = Mutex(State())

    func read(_ output: FileHandle) {
      var words = LastWords()
      output.forEachPiece { piece in
        let lines = words.append(piece)
        state.withLock { $0.lines += lines }
      }
    }

    func take(_ word: String) -> String? {
      state.withLock { state in
        guard let place = state.lines.firstIndex(where: { $0 == word || $0.hasPrefix(word + " ") }) else { return nil }
        let line = state.lines[place]
        state.lines.removeFirst(place + 1)
        return String(line.dropFirst(word.count + 1))
      }
    }
  }
}

/// The folder of a benchmark, and the process that removes it, and kills all parts, when the benchmark ends.
final class BenchPlace: Sendable {
  /// The folder.
  let folder: URL
  private let sentry: ChildProcess
  private let ended = AsyncStream<Void>.makeStream()

  /// Makes the folder.
  init() throws {
    folder = FileManager.default.temporaryDirectory.appending(path: "pdsweep-bench-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: false)
    sentry = try ChildProcess(
      ChildProcess.program, ["bench", "part", "guard", folder.path], output: FileHandle.nullDevice, onLine: { _ in },
      onEnd: { [ended] _, _ in ended.continuation.finish() })
  }

  /// A file in the folder.
  func file(_ name: String) -> String { folder.appending(path: name).path }

  fileprivate func watch(_ process: Int32) { tell("+\(process)") }

  fileprivate func forget(_ process: Int32) { tell("-\(process)") }

  private func tell(_ line: String) {
    // Where the guard is gone nobody is left to be told.
    try? sentry.input.write(contentsOf: Data((line + "\n").utf8))
  }

  /// Kills what is left of the parts, removes the folder, and returns when that is done.
  func clear() async {
    try? sentry.input.close()
    for await _ in ended.stream {}
  }
}
