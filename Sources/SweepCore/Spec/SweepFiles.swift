public import ContentHash

/// A file that a sweep is computed from.
public struct SweepFile: Sendable, Hashable {
  /// Its absolute path on the machine that read the sweep file.
  public var path: String
  /// The digest of its content.
  public var digest: SHA256Digest
  /// What it looked like when its digest was taken.
  public var stamp: FileStamp
  /// Its size in bytes.
  public var size: Int { stamp.size }

  /// Creates a description.
  public init(path: String, digest: SHA256Digest, stamp: FileStamp) {
    self.path = path
    self.digest = digest
    self.stamp = stamp
  }
}

/// The files that a sweep is computed from, by what they are for.
public struct SweepFiles: Sendable, Hashable {
  /// The files of a corpus.
  public struct Corpus: Sendable, Hashable {
    /// The text.
    public var text: SweepFile
    /// The file that says how it is cut into splits; `nil` where the standard cut is used.
    public var cut: SweepFile?

    /// Creates a description.
    public init(text: SweepFile, cut: SweepFile?) {
      self.text = text
      self.cut = cut
    }
  }

  /// `model.safetensors`.
  public var weights: SweepFile
  /// `model_config.yaml`.
  public var configuration: SweepFile
  /// `tokenizer.json`.
  public var tokenizer: SweepFile
  /// Decompositions, by the name that the sweep file gives them.
  public var decompositions: [String: SweepFile]
  /// Corpora, by name.
  public var corpora: [String: Corpus]
  /// Harvests that selections are made from, by the name of their decomposition.
  public var harvests: [String: SweepFile]
  /// Files of labels that selections are made by, by the name that the sweep file gives them.
  public var labels: [String: SweepFile]

  /// Creates a description.
  public init(
    weights: SweepFile, configuration: SweepFile, tokenizer: SweepFile, decompositions: [String: SweepFile],
    corpora: [String: Corpus], harvests: [String: SweepFile] = [:], labels: [String: SweepFile] = [:]
  ) {
    self.weights = weights
    self.configuration = configuration
    self.tokenizer = tokenizer
    self.decompositions = decompositions
    self.corpora = corpora
    self.harvests = harvests
    self.labels = labels
  }

  /// Every file that cells are computed from, with its role: `weights`, `configuration`, `tokenizer`, `decomposition:FILE`, `corpus:NAME`,
  /// `cut:NAME`; in that order, and by name within a role.
  public var all: [(role: String, file: SweepFile)] {
    var all = [("weights", weights), ("configuration", configuration), ("tokenizer", tokenizer)]
    all += decompositions.sorted { $0.key < $1.key }.map { ("decomposition:\($0.key)", $0.value) }
    let corpora = corpora.sorted { $0.key < $1.key }
    all += corpora.map { ("corpus:\($0.key)", $0.value.text) }
    all += corpora.compactMap { name, corpus in corpus.cut.map { ("cut:\(name)", $0) } }
    return all.map { (role: $0.0, file: $0.1) }
  }

  /// The files that selections are made from, with their roles: `harvest:DECOMPOSITION`, then `labels:FILE`; by name
  /// within a role. Cells name what was selected, and have no use for them.
  public var ofSelections: [(role: String, file: SweepFile)] {
    harvests.sorted { $0.key < $1.key }.map { (role: "harvest:\($0.key)", file: $0.value) }
      + labels.sorted { $0.key < $1.key }.map { (role: "labels:\($0.key)", file: $0.value) }
  }
}
