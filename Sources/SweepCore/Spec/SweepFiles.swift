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

  /// Creates a description.
  public init(
    weights: SweepFile, configuration: SweepFile, tokenizer: SweepFile, decompositions: [String: SweepFile],
    corpora: [String: Corpus]
  ) {
    self.weights = weights
    self.configuration = configuration
    self.tokenizer = tokenizer
    self.decompositions = decompositions
    self.corpora = corpora
  }

  /// Every file with its role: `weights`, `configuration`, `tokenizer`, `decomposition:FILE`, `corpus:NAME`,
  /// `cut:NAME`; in that order, and by name within a role.
  public var all: [(role: String, file: SweepFile)] {
    var all = [("weights", weights), ("configuration", configuration), ("tokenizer", tokenizer)]
    all += decompositions.sorted { $0.key < $1.key }.map { ("decomposition:\($0.key)", $0.value) }
    let corpora = corpora.sorted { $0.key < $1.key }
    all += corpora.map { ("corpus:\($0.key)", $0.value.text) }
    all += corpora.compactMap { name, corpus in corpus.cut.map { ("cut:\(name)", $0) } }
    return all.map { (role: $0.0, file: $0.1) }
  }
}

/// A sweep with its files: everything that its results depend on is known.
public struct ResolvedSweep: Sendable {
  /// The sweep file.
  public let spec: SweepSpec
  /// The files it names.
  public let files: SweepFiles
  /// The cells, in the order of enumeration.
  public let cells: [Cell]

  /// Computes the cells. `files` has to hold every decomposition and corpus that `spec` names.
  public init(spec: SweepSpec, files: SweepFiles) {
    self.spec = spec
    self.files = files
    let corpora = spec.corpora.map { corpus in
      guard let found = files.corpora[corpus.name] else {
        preconditionFailure("the corpus \(corpus.name) was not resolved")
      }
      return CorpusReference(
        name: corpus.name, role: corpus.role, text: found.text.digest, cut: found.cut?.digest)
    }
    cells = SweepPlan(spec).cells.enumerated().map { index, planned in
      let decomposition = planned.decomposition.map { name in
        guard let file = files.decompositions[name] else {
          preconditionFailure("the decomposition \(name) was not resolved")
        }
        return file.digest
      }
      return Cell(
        index: index, method: planned.method,
        specification: CellSpecification(
          target: TargetReference(
            weights: files.weights.digest, configuration: files.configuration.digest,
            tokenizer: files.tokenizer.digest, decomposition: decomposition),
          corpora: corpora, start: spec.start, evaluation: spec.evaluation, edit: planned.edit,
          training: planned.training, seed: planned.seed))
    }
  }

  /// Guards resumption: a store that was begun by a sweep of another digest holds other cells, and is not carried on.
  ///
  /// The SHA-256 of the canonical form of the sweep's name and of each cell's method and fingerprint, in order. What
  /// changes no result (the goal, where files lie, white space) does not change it.
  public var digest: SHA256Digest {
    SweepIdentity.digest(name: spec.name, cells: cells.lazy.map { ($0.method, $0.fingerprint) })
  }
}

/// What makes two sweeps the same.
public enum SweepIdentity {
  /// The SHA-256 of the canonical form of a sweep's name and of each cell's method and fingerprint, in order.
  public static func digest(
    name: String, cells: some Sequence<(method: String, fingerprint: SHA256Digest)>
  ) -> SHA256Digest {
    var form = CanonicalWriter()
    form.object {
      $0.list("cells", cells) { cell, form in
        form.object {
          $0.digest("fingerprint", cell.fingerprint)
          $0.text("method", cell.method)
        }
      }
      $0.text("sweep", name)
    }
    return SHA256Digest(of: form.bytes)
  }
}
