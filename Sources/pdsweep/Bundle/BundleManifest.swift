internal import ContentHash
internal import Foundation
internal import SweepCore

/// `bundle.json`, the first file of a bundle: what else is in it, and where it was made.
struct BundleManifest: Codable, Hashable {
  /// Counts changes that readers would notice.
  static let format = "pdsweep.bundle/1"
  static let name = "bundle.json"
  /// The largest manifest that is read, bytes.
  static let sizeLimit = 16 << 20

  /// A file of the bundle.
  struct Member: Codable, Hashable {
    let name: String
    let size: Int
    let sha256: SHA256Digest
  }

  /// A sweep of the bundle.
  struct Sweep: Codable, Hashable {
    let name: String
    let digest: SHA256Digest
    /// Its sweep file in the bundle.
    let file: String
    let cells: Int
    let completed: Int
  }

  /// A file that cells are computed from. It is not in the bundle.
  struct Input: Codable, Hashable {
    let role: String
    let sha256: SHA256Digest
  }

  /// Where the bundle was made.
  struct Environment: Codable, Hashable {
    let pdsweep: String
    let build: String
    let engineRevision: Int
    let host: String
    let system: String
    let cores: Int
    let memoryMiB: Int
    /// ISO 8601, UTC.
    let made: String

    enum CodingKeys: String, CodingKey {
      case pdsweep, build, host, system, cores, made
      case engineRevision = "engine_revision"
      case memoryMiB = "memory_mib"
    }

    /// This process's.
    static func here(at time: Date) -> Environment {
      let process = ProcessInfo.processInfo
      return Environment(
        pdsweep: PDSweep.version, build: Build.name, engineRevision: CellSpecification.engineRevision,
        host: process.hostName, system: process.operatingSystemVersionString, cores: process.activeProcessorCount,
        memoryMiB: Int(process.physicalMemory >> 20), made: time.formatted(.iso8601))
    }
  }

  let format: String
  /// The store in the bundle.
  let store: String
  let sweeps: [Sweep]
  let members: [Member]
  let inputs: [Input]
  let environment: Environment
}

/// Why a bundle cannot be written or read.
struct BundleError: Error, CustomStringConvertible {
  /// One line for people.
  let description: String

  /// - Parameter path: the bundle, or what was to be written.
  init(_ path: String, _ problem: String) {
    description = "\(path): \(problem)"
  }
}
