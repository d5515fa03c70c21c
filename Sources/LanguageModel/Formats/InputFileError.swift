public import Foundation
internal import TensorKernels

/// A file that was given to the engine and does not hold what it should.
///
/// Its text is one line: what is wrong, where, what was expected, what was found and what to do.
public struct InputFileError: Error, Sendable, Hashable, CustomStringConvertible, LocalizedError {
  /// The path of the file, as it was given.
  public let file: String
  /// The place within the file: a key path, a tensor, a line; `nil` where the whole file is meant.
  public let place: String?
  /// What was expected and what was found.
  public let problem: String
  /// What to do; `nil` where the problem says it.
  public let advice: String?

  /// Creates an error.
  public init(file: String, place: String? = nil, problem: String, advice: String? = nil) {
    self.file = file
    self.place = place
    self.problem = problem
    self.advice = advice
  }

  /// A file that cannot be read at all.
  init(_ error: MappedFileError) {
    self.init(
      file: error.path, problem: "cannot \(error.operation) the file: \(error.reason)",
      advice: "check the path and its permissions")
  }

  /// One line.
  public var description: String {
    var line = file
    if let place { line += ": " + place }
    line += ": " + problem
    if let advice { line += "; " + advice }
    return line
  }

  /// The same line as ``description``.
  public var errorDescription: String? { description }
}

/// Text from a file made fit to stand in a one-line message: quoted, control characters escaped, at most 60
/// characters of it.
func quoted(_ text: some StringProtocol) -> String {
  var line = "\""
  for scalar in text.unicodeScalars.prefix(60) {
    let isControl = scalar.properties.generalCategory == .control || scalar.value == 0x2028 || scalar.value == 0x2029
    line += isControl ? "\\u{\(String(scalar.value, radix: 16))}" : String(scalar)
  }
  return line + (text.unicodeScalars.dropFirst(60).isEmpty ? "\"" : "...\"")
}

/// Reads a whole file.
func readFile(_ path: String) throws(InputFileError) -> [UInt8] {
  do {
    let file = try MappedFile(path: path)
    return file.bytes(in: 0..<file.count)
  } catch {
    throw InputFileError(error)
  }
}

/// Writes a file so that its path never names a part of it, even after a power cut: a temporary file beside it takes
/// its place when it is complete and on disk.
public func writeFile(_ path: String, _ bytes: [UInt8]) throws(InputFileError) {
  do {
    try FileReplacement.write(bytes, to: path)
  } catch {
    throw InputFileError(
      file: path, problem: "cannot write the file: \(error.reason)",
      advice: "nothing was changed; check the folder, its permissions and the free space")
  }
}
