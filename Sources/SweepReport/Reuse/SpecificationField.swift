internal import ContentHash
internal import SweepCore

/// A part of what determines a cell's result, in the words of the sweep file.
struct SpecificationField: Hashable {
  /// Where the sweep file says it: `corpora.forget.german`, `training.learning_rate`.
  let path: String
  /// What it says; for a file, its digest.
  let value: String
  /// Whether the value is a file's content, which means nothing to people.
  let isFile: Bool

  private init(_ path: String, _ value: some CustomStringConvertible, isFile: Bool = false) {
    self.path = path
    self.value = value.description
    self.isFile = isFile
  }

  /// All parts of a specification: what surrounds the edits first, then the edit, then how it is learned.
  static func all(of specification: CellSpecification) -> [SpecificationField] {
    var fields = [SpecificationField("the engine's revision", specification.revision)]
    for (role, digest) in specification.files where !role.contains(":") {
      fields.append(SpecificationField(role == "decomposition" ? role : "target.\(role)", digest, isFile: true))
    }
    for corpus in specification.corpora {
      fields.append(
        SpecificationField(
          "corpora.\(corpus.role.rawValue).\(corpus.name)",
          "\(corpus.text)" + (corpus.cut.map { " cut by \($0)" } ?? ""), isFile: true))
    }
    fields += [
      SpecificationField("corpora.start", specification.start),
      SpecificationField("evaluation.tokens_per_corpus", specification.evaluation.tokensPerCorpus),
      SpecificationField("evaluation.context", specification.evaluation.context),
    ]
    let settings = CellSettings(specification)
    for field in CellSettings.fields {
      guard let text = field.text(settings) else { continue }
      fields.append(SpecificationField(field.isOfTraining ? "training.\(field.name)" : field.name, text))
    }
    if let training = specification.training {
      fields.append(SpecificationField("token_budget", training.tokenBudget))
      let steps = training.evaluateAt.map(String.init).joined(separator: ", ")
      if !steps.isEmpty { fields.append(SpecificationField("training.evaluate_at", "[\(steps)]")) }
    }
    fields.append(SpecificationField("seed", specification.seed))
    return fields
  }
}

extension CellSettings.Field {
  /// Whether the setting says how an edit is learned, rather than what is edited.
  fileprivate var isOfTraining: Bool {
    switch name {
    case "edit", "subcomponents", "alphas", "alpha", "rank", "sites", "scale": false
    default: true
    }
  }
}
