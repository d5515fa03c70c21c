internal import ArgumentParser
internal import Foundation
internal import SweepCore

/// The entry point: runs the command that the arguments name, and turns what it throws into one line and a status.
@main
enum Main {
  static func main() async {
    do {
      var command = try PDSweep.parseAsRoot()
      if var asynchronous = command as? any AsyncParsableCommand {
        try await asynchronous.run()
      } else {
        try command.run()
      }
    } catch {
      finish(after: error)
    }
  }

  /// Help and versions go to standard output with status 0; a command's own `ExitCode` is the status; anything else
  /// is bad input.
  private static func finish(after error: any Error) -> Never {
    if error is ExitCode || PDSweep.exitCode(for: error) == .success { PDSweep.exit(withError: error) }
    let isUsage = PDSweep.exitCode(for: error) == .validationFailure
    let advice = isUsage ? "; see `pdsweep --help`, or `--help` after a command's name" : ""
    Terminal.writeError("pdsweep: error: " + PDSweep.message(for: error).onOneLine + advice)
    PDSweep.exit(withError: ExitCode(2))
  }
}

/// The process's standard streams.
enum Terminal {
  /// Writes to standard output.
  ///
  /// - Throws: ``OutputError`` if it takes no more: a full disk, a closed pipe.
  static func write(_ text: String) throws(OutputError) {
    do {
      try FileHandle.standardOutput.write(contentsOf: Data(text.utf8))
    } catch {
      let cause = (error as NSError).userInfo[NSUnderlyingErrorKey] as? NSError
      throw OutputError(reason: (cause ?? error as NSError).localizedDescription)
    }
  }

  /// Writes a value's canonical JSON to standard output, as one line.
  static func write(json value: some Encodable) throws(OutputError) {
    try write(String(decoding: CanonicalJSON.encode(value), as: UTF8.self) + "\n")
  }

  /// Writes a line to standard error. What cannot be written there has nowhere else to go.
  static func writeError(_ line: String) {
    try? FileHandle.standardError.write(contentsOf: Data((line + "\n").utf8))
  }
}

/// Ends the process without waiting for its other threads, and without running what the BLAS and others do at the end
/// of a process: a thread may still be in the midst of a product.
func endProcess(_ status: Int32) -> Never {
  _exit(status)
}

/// Standard output takes no more.
struct OutputError: Error, CustomStringConvertible {
  /// What the system says.
  let reason: String

  /// One line for people.
  var description: String {
    "cannot write to standard output: \(reason); check the disk and the pipe that it leads to"
  }
}

extension String {
  /// The text with each line break replaced by a space.
  fileprivate var onOneLine: String {
    split(whereSeparator: \.isNewline).map { $0.trimmingCharacters(in: .whitespaces) }.joined(separator: " ")
  }
}
