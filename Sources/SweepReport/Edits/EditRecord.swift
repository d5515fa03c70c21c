public import SweepCore

/// An edit by what chose it and what it reads, as `edits.json` and `rollouts.json` tell of it. Readings are in nats.
public struct EditRecord: Sendable, Hashable, Codable {
  /// A number of each held-out split; choices are made on validation.
  public struct Splits: Sendable, Hashable, Codable {
    /// On the validation split.
    public var validation: Double
    /// On the test split.
    public var test: Double
  }

  /// The method's name.
  public var method: String
  /// Forget-corpus tokens that training could see.
  public var tokenBudget: Int
  /// The seed.
  public var seed: UInt64
  /// The cell's place in its sweep.
  public var cell: Int
  /// The cell's fingerprint.
  public var fingerprint: String
  /// Updates (or trials of a search) behind which the edit was taken.
  public var step: Int
  /// Whether that is the end of the training.
  public var isFinal: Bool
  /// The settings that matter, in few words: `lr 0.1, retain 10, steps 100`.
  public var settings: String
  /// What it was chosen for; `chosen-by-hand` where the user named its cell.
  public var chosenFor: [String]
  /// Mean cross-entropy on the forget corpora.
  public var removal: Splits
  /// Mean increase of the retain corpora's cross-entropy over the base.
  public var retentionCost: Splits
  /// Increase of each observed corpus's cross-entropy over the base.
  public var offTargetCosts: [String: Splits]

  /// Describes an edit.
  ///
  /// - Parameter reasons: why it was chosen; empty where the user named its cell.
  public init(_ point: TradeOffPoint, reasons: [EditChoice.Reason], in sweep: ReportedSweep) {
    method = point.cell.method
    tokenBudget = point.tokenBudget
    seed = point.cell.specification.seed
    cell = point.cell.index
    fingerprint = "\(point.cell.fingerprint)"
    step = point.evaluation.step
    isFinal = point.isFinal
    settings = SettingsDescriber(sweep.records).text(for: point)
    chosenFor = reasons.isEmpty ? ["chosen-by-hand"] : reasons.map(\.rawValue)
    removal = Splits(validation: point.validation.removal, test: point.test.removal)
    retentionCost = Splits(validation: point.validation.retentionCost, test: point.test.retentionCost)
    let observed = point.evaluation.corpora.filter { $0.role == .observe }
    let costs = observed.map {
      ($0.name, Splits(validation: $0.increase(.validation), test: $0.increase(.test)))
    }
    offTargetCosts = Dictionary(costs) { first, _ in first }
  }
}
