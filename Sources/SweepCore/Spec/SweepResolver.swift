internal import ContentHash
public import Foundation
public import SettingsFiles

/// Finds the files that a sweep file names, and digests them.
public struct SweepResolver: Sendable {
  /// The environment variable that lists folders in which targets are looked up by name, separated by colons.
  public static let targetPathVariable = "PDSWEEP_TARGET_PATH"

  private let sweepFile: URL
  private let target: String?
  private let corpora: URL?
  private let shelves: [URL]

  /// Creates a resolver.
  ///
  /// - Parameters:
  ///   - sweepFile: the sweep file; what it names is relative to its folder.
  ///   - target: used in place of the sweep file's target: a folder relative to the working directory, or a name.
  ///   - corpora: a folder in which the corpora are found by their file names, in place of the paths in the sweep file.
  ///   - shelves: folders in which targets are looked up by name, where there is none beside the sweep file.
  public init(sweepFile: URL, target: String? = nil, corpora: String? = nil, shelves: [URL] = []) {
    self.sweepFile = sweepFile
    self.target = target
    self.corpora = corpora.map { URL(fileURLWithPath: $0, isDirectory: true) }
    self.shelves = shelves
  }

  /// Finds and digests the files of a sweep, and computes its cells. Reads every file once, in full.
  ///
  /// - Throws: the first file that is missing, empty or not readable.
  public func resolve(_ spec: SweepSpec) throws(SettingsError) -> ResolvedSweep {
    ResolvedSweep(spec: spec, files: try files(of: spec))
  }

  /// Finds and digests the files of a sweep. Reads every file once, in full.
  ///
  /// - Throws: the first file that is missing, empty or not readable.
  public func files(of spec: SweepSpec) throws(SettingsError) -> SweepFiles {
    let folder = try targetFolder(spec)
    func targetFile(_ name: String, keyPath: String = "target") throws(SettingsError) -> SweepFile {
      try file(URL(fileURLWithPath: name, relativeTo: folder), keyPath: keyPath, advice: "add the file to the target")
    }

    let weights = try targetFile("model.safetensors")
    let configuration = try targetFile("model_config.yaml")
    let tokenizer = try targetFile("tokenizer.json")
    var decompositions: [String: SweepFile] = [:]
    for method in spec.methods {
      guard let name = method.decomposition, decompositions[name] == nil else { continue }
      decompositions[name] = try targetFile(name, keyPath: "methods.\(method.name).decomposition")
    }
    var found: [String: SweepFiles.Corpus] = [:]
    for corpus in spec.corpora { found[corpus.name] = try self.corpus(corpus) }
    try refuseSharedText(spec.corpora, found)
    return SweepFiles(
      weights: weights, configuration: configuration, tokenizer: tokenizer, decompositions: decompositions,
      corpora: found)
  }

  // MARK: Corpora

  private func corpus(_ corpus: CorpusSpec) throws(SettingsError) -> SweepFiles.Corpus {
    let keyPath = "corpora.\(corpus.role.rawValue).\(corpus.name)"
    let url = URL(fileURLWithPath: corpus.path, relativeTo: sweepFile.deletingLastPathComponent())
    let text = corpora.map { $0.appendingPathComponent(url.lastPathComponent) } ?? url
    let cut = text.deletingPathExtension().appendingPathExtension("cut.json")
    let advice = "make it with `pdsweep corpus`, or say where it lies with --corpora FOLDER"
    let textFile = try file(text, keyPath: keyPath, advice: advice)
    if case .missing = FileKind(of: cut) { return SweepFiles.Corpus(text: textFile, cut: nil) }
    let cutAdvice = "make it again with `pdsweep corpus`, or remove it"
    return SweepFiles.Corpus(text: textFile, cut: try file(cut, keyPath: keyPath, advice: cutAdvice))
  }

  /// A text that has two roles would be removed and kept at once, or trained on and measured as if it were not.
  private func refuseSharedText(
    _ corpora: [CorpusSpec], _ found: [String: SweepFiles.Corpus]
  ) throws(SettingsError) {
    var owners: [SHA256Digest: String] = [:]
    for corpus in corpora {
      guard let text = found[corpus.name]?.text else { continue }
      if let owner = owners.updateValue(corpus.name, forKey: text.digest) {
        throw refusal(
          "corpora.\(corpus.role.rawValue).\(corpus.name)",
          "expected a text of its own, found the text of `\(owner)` at \(text.path)", "give each corpus its own file")
      }
    }
  }

  // MARK: The target

  private func targetFolder(_ spec: SweepSpec) throws(SettingsError) -> URL {
    let (name, base) =
      if let target { (target, nil as URL?) } else { (spec.target, sweepFile.deletingLastPathComponent()) }
    let direct = URL(fileURLWithPath: name, isDirectory: true, relativeTo: base)
    var candidates = [direct]
    if !name.contains("/") {
      candidates += shelves.map { $0.appendingPathComponent(name, isDirectory: true) }
    }
    for candidate in candidates {
      if case .folder = FileKind(of: candidate) { return candidate }
    }
    let places = candidates.map(\.standardizedFileURL.path).joined(separator: ", ")
    let meant = NearestName.suggestion(for: name, among: shelves.flatMap(Self.names)).map { "did you mean `\($0)`? " }
    throw refusal(
      "target", "expected a model folder at \(places), found none",
      (meant ?? "") + "mend the path, give --target FOLDER, or list the folder that holds `\(name)` in "
        + Self.targetPathVariable)
  }

  /// What stands on a shelf.
  private static func names(on shelf: URL) -> [String] {
    ((try? FileManager.default.contentsOfDirectory(atPath: shelf.path)) ?? []).sorted()
  }

  // MARK: One file

  private func file(_ url: URL, keyPath: String, advice: String) throws(SettingsError) -> SweepFile {
    let url = url.standardizedFileURL
    guard let stamp = FileStamp(path: url.path) else {
      throw refusal(keyPath, "expected a file, found \(FileProblem(url))", advice)
    }
    guard stamp.size > 0 else { throw refusal(keyPath, "expected a file at \(url.path), found an empty one", advice) }
    guard let digest = try? SHA256Digest(ofFile: url) else {
      throw refusal(keyPath, "expected a readable file, found \(FileProblem(url))", "mend its permissions")
    }
    guard FileStamp(path: url.path) == stamp else {
      throw refusal(
        keyPath, "expected a file at \(url.path) that keeps still, found it changed while it was read", "run again")
    }
    return SweepFile(path: url.path, digest: digest, stamp: stamp)
  }

  private func refusal(_ keyPath: String, _ problem: String, _ advice: String) -> SettingsError {
    SettingsError(
      file: sweepFile.relativePath, position: nil, keyPath: keyPath, problem: problem, advice: advice)
  }
}
