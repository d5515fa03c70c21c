internal import ContentHash
internal import Foundation
internal import SweepCore
internal import SweepWire

/// Finds the files that a cell names and checks, once in a process, that each has the content it is named by.
struct ArtefactCheck {
  private struct Place: Hashable {
    var digest: SHA256Digest
    var path: String
  }

  private var passed: Set<Place> = []

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

  private mutating func check(_ artefact: Artefact) throws(CellFailure) {
    let place = Place(digest: artefact.digest, path: artefact.path)
    guard !passed.contains(place) else { return }
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
    passed.insert(place)
  }
}

extension CellSpecification {
  /// The files that the cell names: what each is, for people, and its digest.
  var files: [(role: String, digest: SHA256Digest)] {
    var files = [
      ("weights", target.weights), ("configuration", target.configuration), ("tokenizer", target.tokenizer),
    ]
    if let decomposition = target.decomposition { files.append(("decomposition", decomposition)) }
    for corpus in corpora {
      files.append(("corpus:\(corpus.name)", corpus.text))
      if let cut = corpus.cut { files.append(("cut:\(corpus.name)", cut)) }
    }
    return files
  }
}

extension CellFailure {
  /// A failure that would repeat.
  static func refused(_ message: String) -> CellFailure {
    CellFailure(kind: .refusedInput, message: message)
  }
}
