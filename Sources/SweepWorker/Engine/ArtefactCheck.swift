internal import ContentHash
internal import Foundation
internal import SweepCore
internal import SweepWire

/// Finds the files that a cell names and checks that each has the content it is named by: by its digest when it is
/// first seen or has been touched since, by its size, place and time of change before and after every cell.
struct ArtefactCheck {
  private struct Place: Hashable {
    var digest: SHA256Digest
    var path: String
  }

  /// What changes when somebody writes to a file or puts another in its place.
  private struct Stamp: Hashable {
    var size: Int
    var changed: Date
    var file: Int

    /// `nil` if there is no such file.
    init?(_ path: String) {
      guard let attributes = try? FileManager.default.attributesOfItem(atPath: path),
        let size = attributes[.size] as? Int, let changed = attributes[.modificationDate] as? Date,
        let file = attributes[.systemFileNumber] as? Int
      else { return nil }
      self.size = size
      self.changed = changed
      self.file = file
    }
  }

  private var passed: [Place: Stamp] = [:]

  /// The artefacts that a cell names, every one of them checked.
  ///
  /// - Throws: `CellFailure` of kind `refusedInput` that names the file, what was expected and what was found.
  mutating func artefacts(
    of cell: CellSpecification, among offered: [Artefact]
  ) throws(CellFailure) -> [Artefact] {
    var found: [Artefact] = []
    for (role, digest) in cell.files {
      guard let artefact = offered.first(where: { $0.digest == digest }) else {
        throw .refused(
          "\(role): expected the coordinator to offer a file with SHA-256 \(digest), found none; "
            + "start the coordinator again on the sweep file")
      }
      try check(artefact)
      found.append(artefact)
    }
    return found
  }

  /// Checks that nobody touched the files of a cell while it ran; its numbers are of no file in particular otherwise.
  ///
  /// - Throws: `CellFailure` of kind `engineFault`: another attempt may find the files as they should be.
  func confirm(_ artefacts: [Artefact]) throws(CellFailure) {
    for artefact in artefacts {
      guard passed[Place(digest: artefact.digest, path: artefact.path)] == Stamp(artefact.path) else {
        throw CellFailure(
          kind: .engineFault,
          message: "\(artefact.role): \(artefact.path): the file was changed while the cell ran; "
            + "put it back as it was, or stop the sweep and start the coordinator again")
      }
    }
  }

  private mutating func check(_ artefact: Artefact) throws(CellFailure) {
    let place = Place(digest: artefact.digest, path: artefact.path)
    let stamp = Stamp(artefact.path)
    guard stamp == nil || passed[place] != stamp else { return }
    let digest: SHA256Digest
    do {
      digest = try SHA256Digest(ofFile: URL(filePath: artefact.path))
    } catch {
      throw .refused(
        "\(artefact.role): \(artefact.path): expected a file with SHA-256 \(artefact.digest), found none that this "
          + "worker can read (\(error.localizedDescription)); share the coordinator's folder with this machine")
    }
    guard digest == artefact.digest else {
      throw .refused(
        "\(artefact.role): \(artefact.path): expected SHA-256 \(artefact.digest), found \(digest); "
          + "the file has changed since the sweep was planned, start the coordinator again")
    }
    passed[place] = stamp
  }
}

extension CellFailure {
  /// A failure that would repeat.
  static func refused(_ message: String) -> CellFailure {
    CellFailure(kind: .refusedInput, message: message)
  }
}
