internal import ContentHash
internal import Foundation
internal import SweepCore

/// What `pdsweep run` tells its worker on its standard input, in one line of JSON: where the files of the sweep are, so
/// that nothing has to be copied.
struct RunFiles: Sendable {
  /// Paths by digest.
  var paths: [SHA256Digest: String]

  init(_ files: [SweepFile]) {
    paths = Dictionary(files.map { ($0.digest, $0.path) }) { first, _ in first }
  }

  /// Reads the line.
  ///
  /// - Throws: ``RunFilesError`` if there is none, or another.
  init(from input: FileHandle) throws(RunFilesError) {
    var line = Data()
    while let more = try? input.read(upToCount: 1), let byte = more.first, byte != UInt8(ascii: "\n") {
      line.append(byte)
    }
    do {
      let paths = try JSONDecoder().decode([String: String].self, from: line)
      self.paths = try Dictionary(
        paths.map { name, path in
          guard let digest = SHA256Digest(hexadecimal: name) else { throw RunFilesError() }
          return (digest, path)
        }
      ) { first, _ in first }
    } catch {
      throw RunFilesError()
    }
  }

  /// The line, with its end.
  var line: Data {
    let paths = Dictionary(uniqueKeysWithValues: paths.map { ($0.key.hexadecimal, $0.value) })
    return Data(CanonicalJSON.encode(paths)) + Data("\n".utf8)
  }
}

/// A worker was told that it works for a run, and nobody tells it where the files are.
struct RunFilesError: Error, CustomStringConvertible {
  /// One line for people.
  let description = "--of-run: expected a run's list of files on standard input; leave the option to `pdsweep run`"
}
