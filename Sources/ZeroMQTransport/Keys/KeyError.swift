public import Foundation

/// What is wrong with a key, or with the folder that keys are kept in.
public enum KeyError: Error, Sendable, Hashable {
  /// The name cannot be one of a worker's key.
  case badName(String)
  /// A worker of that name is admitted already.
  case nameTaken(String, folder: String)
  /// No worker of that name is admitted.
  case unknownName(String, folder: String, known: [String])
  /// There is no coordinator's key: nothing was made in the folder yet.
  case noCoordinatorKey(folder: String)
  /// There is no such key file.
  case missing(path: String)
  /// Others than the file's owner may read or write it; its permissions are given.
  case exposed(path: String, mode: UInt32)
  /// The file is not what it should be; what was expected is said.
  case malformed(path: String, line: Int, expected: String)
  /// The system refused; its words are given.
  case system(path: String, operation: String, reason: String)
  /// libzmq cannot encrypt.
  case unsupported
}

extension KeyError: CustomStringConvertible, LocalizedError {
  /// One line: where, what was expected, what was found, what to do.
  public var description: String {
    switch self {
    case .badName(let name):
      "worker \"\(name)\": expected a name of 1 to 64 letters, digits, hyphens, underscores and dots that begins with a "
        + "letter or digit, and not \"coordinator\"; choose another"
    case .nameTaken(let name, let folder):
      "\(folder): expected a new name, found that a worker \(name) is admitted already; choose another, or first take "
        + "its key back with `pdsweep keys revoke \(name)`"
    case .unknownName(let name, let folder, let known):
      "\(folder): expected the name of a worker that is admitted, found \"\(name)\"; "
        + (known.isEmpty ? "no worker is" : "those are \(known.joined(separator: ", "))")
    case .noCoordinatorKey(let folder):
      "\(folder): expected a folder made by `pdsweep keys new NAME --keys \(folder)`, found no coordinator.key in it"
    case .missing(let path):
      "\(path): expected the key file that `pdsweep keys new` wrote for this worker, found no file; carry it here"
    case .exposed(let path, let mode):
      "\(path): expected a key file that only its owner can read and write, found permissions "
        + "\(String(mode, radix: 8)); run `chmod 600 \(path)`, and if others may have read it, make a new key"
    case .malformed(let path, let line, let expected):
      "\(path):\(line): expected \(expected), found something else; copy the file again, or make a new key"
    case .system(let path, let operation, let reason):
      "cannot \(operation) \(path): \(reason); check the path and its permissions"
    case .unsupported:
      "expected a libzmq with CURVE, found one without; install the distribution's libzmq5 with libsodium"
    }
  }

  /// The same line.
  public var errorDescription: String? { description }
}
