internal import SweepCore

/// `cells.csv`, `frontier.csv` and `windows.csv`.
///
/// The first two have one row for each measurement; `cells.csv` also has one for each cell without any, with empty
/// fields. Losses and costs are in nats, by the shortest numeral that reads back exactly. Columns, in order:
///
/// - `cell`, `method`, `fingerprint`, `state`, `failure_kind`, `failure`, `token_budget`, `seed`;
/// - the settings: `edit` to `retain_tokens` (`subcomponents` and `sites` separated by spaces);
/// - `step`: updates done before the measurement; `is_final`: whether it measures the finished edit;
/// - for both splits `removal_*`, `retention_cost_*`, for each observed corpus `cost_NAME_*`, and for every corpus
///   `cross_entropy_NAME_*` of the edited model;
/// - `on_budget_frontier`: on the front of its method at its token budget; `on_method_frontier`: of its method;
///   `on_frontier`: of all methods; `on_method_frontier_with_tokens`, `on_frontier_with_tokens`: of the last two with
///   the token budget as third axis;
/// - of the finished edit: `learned_alphas` in the order of `subcomponents`, `lora_norms` as `site=norm` (Frobenius
///   norm of the change), `lora_norm` of all sites together; `full_norms`, `full_norm`: the same of a full fine-tune;
/// - `forget_tokens`, `retain_tokens_seen`: tokens seen in a pass;
/// - in `frontier.csv` alone, for removal, retention cost and each observed corpus's cost, `*_test_low` and
///   `*_test_high`: where it lies with 95 % confidence (``PairedBootstrap``); empty where the result does not tell what
///   its windows read.
extension ReportedSweep {
  /// `cells.csv`.
  public func cellsCSV() -> String {
    let columns = PointColumns(self)
    var table = CSVTable(header: columns.header)
    var next = 0
    for record in records {
      let start = next
      while next < analysis.points.count, analysis.points[next].cell.index == record.cell.index {
        table.append(columns.row(record, point: next))
        next += 1
      }
      if next == start { table.append(columns.row(record, point: nil)) }
    }
    return table.text
  }

  /// `frontier.csv`: the measurements that are on any front, by method and then as in `cells.csv`.
  public func frontierCSV() -> String {
    let columns = PointColumns(self)
    var table = CSVTable(header: columns.header + columns.intervalHeader)
    let recordOfCell = Dictionary(records.map { ($0.cell.index, $0) }) { first, _ in first }
    for index in columns.pointsOnFronts {
      guard let record = recordOfCell[analysis.points[index].cell.index] else { continue }
      table.append(columns.row(record, point: index) + columns.intervals(of: analysis.points[index]))
    }
    return table.text
  }

  /// `windows.csv`: what every evaluation window read in the measurements of `frontier.csv`, in their order, where it is
  /// known: mean cross-entropies with the base and with the edited model, nats. What the intervals are made from.
  public func windowsCSV() -> String {
    var table = CSVTable(header: ["cell", "method", "step", "corpus", "role", "split", "window", "base", "edited"])
    for point in PointColumns(self).pointsOnFronts.map({ analysis.points[$0] }) {
      guard let windows = point.windows else { continue }
      for (place, corpus) in point.evaluation.corpora.enumerated() {
        for split in EvaluationSplit.allCases {
          let readings = zip(windows.base[place][split], windows.edited[place][split])
          for (window, reading) in readings.enumerated() {
            table.append([
              "\(point.cell.index)", point.cell.method, "\(point.evaluation.step)", corpus.name, corpus.role.rawValue,
              split.rawValue, "\(window)", "\(reading.0)", "\(reading.1)",
            ])
          }
        }
      }
    }
    return table.text
  }
}

/// The columns that both tables share.
private struct PointColumns {
  let sweep: ReportedSweep
  let memberships: [(name: String, points: Set<Int>)]
  let observed: [String]
  let corpora: [String]

  init(_ sweep: ReportedSweep) {
    let analysis = sweep.analysis
    self.sweep = sweep
    memberships = [
      ("on_budget_frontier", Set(analysis.methods.flatMap { $0.budgets.flatMap(\.plane) })),
      ("on_method_frontier", Set(analysis.methods.flatMap(\.plane))),
      ("on_frontier", Set(analysis.plane)),
      ("on_method_frontier_with_tokens", Set(analysis.methods.flatMap(\.space))),
      ("on_frontier_with_tokens", Set(analysis.space)),
    ]
    observed = sweep.names(of: .observe)
    corpora = sweep.corpora.map(\.name)
  }

  /// The measurements that are on any front, by method.
  var pointsOnFronts: [Int] {
    sweep.analysis.methods.flatMap { method in
      method.points.filter { index in memberships.contains { $0.points.contains(index) } }
    }
  }

  var header: [String] {
    func bothSplits(_ name: String) -> [String] {
      EvaluationSplit.allCases.map { "\(name)_\($0.rawValue)" }
    }
    var names = ["cell", "method", "fingerprint", "state", "failure_kind", "failure", "token_budget", "seed"]
    names += CellSettings.fields.map(\.name)
    names += ["step", "is_final"]
    names += bothSplits("removal") + bothSplits("retention_cost")
    names += observed.flatMap { bothSplits("cost_\($0)") }
    names += corpora.flatMap { bothSplits("cross_entropy_\($0)") }
    names += memberships.map(\.name)
    names += ["learned_alphas", "lora_norms", "lora_norm", "full_norms", "full_norm"]
    names += ["forget_tokens", "retain_tokens_seen"]
    return names
  }

  func row(_ record: CellRecord, point index: Int?) -> [String] {
    let cell = record.cell
    let settings = CellSettings(cell.specification)
    let point = index.map { sweep.analysis.points[$0] }
    // A cell may have lost a worker and succeeded elsewhere: that is the run's history, not the cell's outcome.
    let failure = record.state == .failed ? record.failure : nil
    var fields = [
      "\(cell.index)", cell.method, "\(cell.fingerprint)", record.state.rawValue,
      failure?.kind.rawValue ?? "", failure?.message ?? "",
      "\(cell.specification.training?.tokenBudget ?? 0)", "\(cell.specification.seed)",
    ]
    fields += CellSettings.fields.map { $0.text(settings) ?? "" }
    fields += [point?.evaluation.step.description ?? "", point?.isFinal.description ?? ""]
    fields += EvaluationSplit.allCases.map { point?.reading($0).removal.description ?? "" }
    fields += EvaluationSplit.allCases.map { point?.reading($0).retentionCost.description ?? "" }
    let scores = point?.evaluation.corpora ?? []
    fields += observed.flatMap { name in
      let score = scores.first { $0.name == name && $0.role == .observe }
      return EvaluationSplit.allCases.map { score?.increase($0).description ?? "" }
    }
    fields += sweep.corpora.flatMap { corpus in
      let score = scores.first { $0.name == corpus.name && $0.role == corpus.role }
      return EvaluationSplit.allCases.map { score?.edited[$0].description ?? "" }
    }
    fields += memberships.map { membership in index.map { membership.points.contains($0).description } ?? "" }
    fields += edit(point?.edit)
    let result = point?.edit == nil ? nil : record.result
    fields += [result?.forgetTokens.description ?? "", result?.retainTokens.description ?? ""]
    return fields
  }

  var intervalHeader: [String] {
    (["removal", "retention_cost"] + observed.map { "cost_\($0)" }).flatMap { ["\($0)_test_low", "\($0)_test_high"] }
  }

  func intervals(of point: TradeOffPoint) -> [String] {
    let intervals = point.intervals(.test)
    let quantities = [.removal, .retentionCost] + observed.map { TradeOffQuantity.offTargetCost(corpus: $0) }
    return quantities.flatMap { quantity -> [String] in
      let interval = intervals?[quantity]
      return [interval?.low.description ?? "", interval?.high.description ?? ""]
    }
  }

  private func edit(_ edit: EditSummary?) -> [String] {
    switch edit {
    case .prefactors(let alphas): [alphas.map(\.description).joined(separator: " "), "", "", "", ""]
    case .lora(let norms): [""] + Self.fields(of: norms) + ["", ""]
    case .full(let norms): ["", "", ""] + Self.fields(of: norms)
    case nil: ["", "", "", "", ""]
    }
  }

  private static func fields(of norms: [SiteNorm]) -> [String] {
    [norms.map { "\($0.site)=\($0.norm)" }.joined(separator: " "), "\(EditSummary.total(of: norms))"]
  }
}

extension EditSummary {
  /// The Frobenius norm of the change of all sites together.
  static func total(of norms: [SiteNorm]) -> Double {
    norms.map { $0.norm * $0.norm }.reduce(0, +).squareRoot()
  }
}
