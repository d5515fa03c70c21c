public import ContentHash

/// A sweep with its files: everything that its results depend on is known.
public struct ResolvedSweep: Sendable {
  /// The sweep file.
  public let spec: SweepSpec
  /// The files it names.
  public let files: SweepFiles
  /// The cells, in the order of enumeration.
  public let cells: [Cell]
  /// The selections that methods use, in the methods' order.
  public let selections: [SweepSelection]
  private let outcomes: [SubcomponentSelection: SelectedSubcomponents]

  /// Computes the cells.
  ///
  /// - Parameters:
  ///   - spec: the sweep file.
  ///   - files: every decomposition, corpus, harvest and file of labels that `spec` uses.
  ///   - outcomes: what every selection of `spec` came to.
  public init(
    spec: SweepSpec, files: SweepFiles, outcomes: [SubcomponentSelection: SelectedSubcomponents] = [:]
  ) {
    self.spec = spec
    self.files = files
    self.outcomes = outcomes
    selections = Self.selections(of: spec, files, outcomes)
    // Cells of one edit share its value.
    var edits: [PlannedEdit: EditSpecification] = [:]
    let corpora = spec.corpora.map { corpus in
      guard let found = files.corpora[corpus.name] else {
        preconditionFailure("the corpus \(corpus.name) was not resolved")
      }
      return CorpusReference(
        name: corpus.name, role: corpus.role, text: found.text.digest, cut: found.cut?.digest)
    }
    cells = SweepPlan(spec).cells.enumerated().map { index, planned in
      let edit = edits[planned.edit] ?? planned.edit.specification(outcomes)
      edits[planned.edit] = edit
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
          corpora: corpora, start: spec.start, evaluation: spec.evaluation, edit: edit,
          training: planned.training, seed: planned.seed))
    }
  }

  private static func selections(
    of spec: SweepSpec, _ files: SweepFiles, _ outcomes: [SubcomponentSelection: SelectedSubcomponents]
  ) -> [SweepSelection] {
    var order: [SubcomponentSelection] = []
    for case let selection? in spec.methods.map(\.selection) where !order.contains(selection) {
      order.append(selection)
    }
    return order.map { selection in
      guard let harvest = files.harvests[selection.decomposition], let outcome = outcomes[selection] else {
        preconditionFailure("a selection among \(selection.decomposition) was not made")
      }
      return SweepSelection(
        selection, methods: spec.methods.filter { $0.selection == selection }.map(\.name), harvest: harvest.digest,
        labels: selection.labels.flatMap { files.labels[$0]?.digest }, outcome: outcome)
    }
  }

  /// The subcomponents that a method is about.
  public func subcomponents(_ choice: SubcomponentChoice) -> [SubcomponentPath] {
    choice.subcomponents(outcomes)
  }

  /// The matrices that a method adds low-rank factors to, or trains as a whole.
  public func sites(_ sites: MethodSites) -> SiteSelection {
    sites.selection(outcomes)
  }

  /// Guards resumption: a store that was begun by a sweep of another digest holds other cells, and is not carried on.
  ///
  /// The SHA-256 of the canonical form of the sweep's name and of each cell's method and fingerprint, in order. What
  /// changes no result (the goal, where files lie, white space) does not change it.
  public var digest: SHA256Digest {
    SweepIdentity.digest(name: spec.name, cells: cells.lazy.map { ($0.method, $0.fingerprint) })
  }
}

extension SubcomponentChoice {
  fileprivate func subcomponents(
    _ outcomes: [SubcomponentSelection: SelectedSubcomponents]
  ) -> [SubcomponentPath] {
    switch self {
    case .named(let subcomponents): return subcomponents
    case .selected(let selection):
      guard let outcome = outcomes[selection] else {
        preconditionFailure("a selection among \(selection.decomposition) was not made")
      }
      return outcome.members.map(\.subcomponent)
    }
  }
}

extension MethodSites {
  fileprivate func selection(_ outcomes: [SubcomponentSelection: SelectedSubcomponents]) -> SiteSelection {
    switch self {
    case .all: .all
    case .named(let sites): .named(sites)
    case .ofSelected(let selection):
      .named(SubcomponentChoice.selected(selection).subcomponents(outcomes).sites.map(\.description))
    }
  }
}

extension PlannedEdit {
  fileprivate func specification(
    _ outcomes: [SubcomponentSelection: SelectedSubcomponents]
  ) -> EditSpecification {
    switch self {
    case .prefactors(let choice, let alphas):
      .prefactors(subcomponents: choice.subcomponents(outcomes).map(\.description), alphas: alphas)
    case .lora(let rank, let sites, let scale):
      .lora(rank: rank, sites: sites.selection(outcomes), scale: scale)
    case .full(let sites): .full(sites: sites.selection(outcomes))
    }
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
