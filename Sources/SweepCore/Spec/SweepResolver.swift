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

  /// Finds and digests the files of a sweep, makes its selections, and computes its cells. Reads every file in full.
  ///
  /// - Throws: the first file that is missing, empty or not readable; the first selection that cannot be made.
  public func resolve(_ spec: SweepSpec) throws(SettingsError) -> ResolvedSweep {
    var files = try files(of: spec)
    try addSelectionFiles(of: spec, to: &files)
    return ResolvedSweep(spec: spec, files: files, outcomes: try outcomes(of: spec, files))
  }

  /// Finds and digests the files that a sweep's cells are computed from. Reads every file once, in full.
  ///
  /// - Throws: the first file that is missing, empty or not readable.
  public func files(of spec: SweepSpec) throws(SettingsError) -> SweepFiles {
    let folder = try targetFolder(spec)
    func targetFile(_ name: String) throws(SettingsError) -> SweepFile {
      try file(URL(fileURLWithPath: name, relativeTo: folder), keyPath: "target", advice: "add the file to the target")
    }

    let weights = try targetFile("model.safetensors")
    let configuration = try targetFile("model_config.yaml")
    let tokenizer = try targetFile("tokenizer.json")
    var decompositions: [String: SweepFile] = [:]
    for method in spec.methods {
      guard let name = method.decomposition, decompositions[name] == nil else { continue }
      decompositions[name] = try decomposition(name, in: folder, method: method.name)
    }
    var found: [String: SweepFiles.Corpus] = [:]
    for corpus in spec.corpora { found[corpus.name] = try self.corpus(corpus) }
    try refuseSharedText(spec.corpora, found)
    return SweepFiles(
      weights: weights, configuration: configuration, tokenizer: tokenizer, decompositions: decompositions,
      corpora: found)
  }

  private func decomposition(_ name: String, in folder: URL, method: String) throws(SettingsError) -> SweepFile {
    try file(
      URL(fileURLWithPath: name, relativeTo: folder), keyPath: "methods.\(method).decomposition",
      advice: Self.decompositionAdvice(in: folder))
  }

  // MARK: Selections

  /// Finds and digests what the selections of a sweep are made from.
  private func addSelectionFiles(of spec: SweepSpec, to files: inout SweepFiles) throws(SettingsError) {
    let folder = try targetFolder(spec)
    for method in spec.methods {
      guard let selection = method.selection else { continue }
      let keyPath = "methods.\(method.name).subcomponents"
      let name = selection.decomposition
      if files.decompositions[name] == nil {
        files.decompositions[name] = try decomposition(name, in: folder, method: method.name)
      }
      if files.harvests[name] == nil {
        let harvest = SubcomponentCatalogue.fileName(ofDecomposition: name)
        files.harvests[name] = try file(
          URL(fileURLWithPath: harvest, relativeTo: folder), keyPath: keyPath,
          advice: "a selection is made from a harvest: make it with `pdsweep harvest`, or name the subcomponents")
      }
      if let labels = selection.labels, files.labels[labels] == nil {
        files.labels[labels] = try file(
          URL(fileURLWithPath: labels, relativeTo: sweepFile.deletingLastPathComponent()), keyPath: "\(keyPath).labels",
          advice: "mend the path, which is relative to the sweep file")
      }
    }
  }

  private func outcomes(
    of spec: SweepSpec, _ files: SweepFiles
  ) throws(SettingsError) -> [SubcomponentSelection: SelectedSubcomponents] {
    var catalogues: [String: SubcomponentCatalogue] = [:]
    var outcomes: [SubcomponentSelection: SelectedSubcomponents] = [:]
    for method in spec.methods {
      guard let selection = method.selection, outcomes[selection] == nil else { continue }
      let keyPath = "methods.\(method.name).subcomponents"
      let name = selection.decomposition
      let catalogue =
        if let read = catalogues[name] { read } else { try self.catalogue(of: name, files, keyPath: keyPath) }
      catalogues[name] = catalogue
      let labels = try selection.labels.flatMap { files.labels[$0] }.map { file throws(SettingsError) in
        let labels = try SubcomponentLabels(csv: content(of: file, keyPath: keyPath), file: file.path)
        try labels.check(against: catalogue, decomposition: name)
        return labels
      }
      do {
        outcomes[selection] = try catalogue.choose(selection, labels: labels)
      } catch {
        throw refusal(keyPath + (error.key.isEmpty ? "" : ".\(error.key)"), error.problem, error.advice)
      }
    }
    return outcomes
  }

  /// The harvest of a decomposition, if it is of this one.
  private func catalogue(
    of name: String, _ files: SweepFiles, keyPath: String
  ) throws(SettingsError) -> SubcomponentCatalogue {
    guard let harvest = files.harvests[name], let decomposition = files.decompositions[name] else {
      preconditionFailure("the files of a selection were found before")
    }
    let catalogue = try SubcomponentCatalogue(json: content(of: harvest, keyPath: keyPath), file: harvest.path)
    for (role, file) in [("decomposition", decomposition), ("weights", files.weights)] {
      let found = catalogue.inputs[role]
      guard found != file.digest else { continue }
      throw refusal(
        keyPath,
        "expected a harvest of \(file.path) (SHA-256 \(file.digest)), found at \(harvest.path) one of "
          + (found.map { "other \(role) (\($0))" } ?? "no \(role) that it names"),
        "make it again with `pdsweep harvest`")
    }
    return catalogue
  }

  /// The bytes of a file that were digested.
  private func content(of file: SweepFile, keyPath: String) throws(SettingsError) -> [UInt8] {
    guard let content = try? Data(contentsOf: URL(fileURLWithPath: file.path)),
      SHA256Digest(of: content) == file.digest
    else {
      throw refusal(
        keyPath, "expected a file at \(file.path) that keeps still, found it changed while it was read", "run again")
    }
    return Array(content)
  }

  /// Which decompositions a target has, for one that was looked for and is not there.
  private static func decompositionAdvice(in folder: URL) -> String {
    let found = names(in: folder).filter { $0.hasPrefix("decomposition") && $0.hasSuffix(".safetensors") }
      .filter { !$0.hasSuffix(".importance.safetensors") }
    guard !found.isEmpty else { return "add the file to the target" }
    return "name one that is there as `decomposition`: \(found.joined(separator: ", "))"
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
    let known = shelves.flatMap(Self.names(in:))
    let meant = NearestName.suggestion(for: name, among: known).map { "did you mean `\($0)`? " }
    throw refusal(
      "target", "expected a model folder at \(places), found none",
      (meant ?? "") + "mend the path, give --target FOLDER, or list the folder that holds `\(name)` in "
        + Self.targetPathVariable)
  }

  /// What stands in a folder.
  private static func names(in folder: URL) -> [String] {
    ((try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []).sorted()
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
