internal import TensorKernels

/// The two batches of a fine-tune and their losses under an edit.
///
/// Everything that the edit cannot change is computed once, here: the state below its lowest stage, and the base
/// model's distribution on the retain rows. It belongs to the thread of its attempt.
public final class FineTuneProblem {
  /// Which losses, and how they are weighed.
  public struct Settings: Sendable, Hashable {
    /// The loss on the forget batch.
    public var forgetLoss: ForgetObjective
    /// The loss on the retain batch.
    public var retainLoss: RetainObjective
    /// Total = forget + retainWeight x retain.
    public var retainWeight: Double

    /// Creates settings.
    public init(forgetLoss: ForgetObjective, retainLoss: RetainObjective, retainWeight: Double) {
      self.forgetLoss = forgetLoss
      self.retainLoss = retainLoss
      self.retainWeight = retainWeight
    }
  }

  /// Losses of both batches, nats.
  public struct Losses: Sendable, Hashable {
    /// The forget loss.
    public let forget: Double
    /// The retain loss, not yet weighted; 0 without a retain batch.
    public let retain: Double
    /// forget + retainWeight x retain.
    public let total: Double

    /// Whether all three are finite numbers.
    public var isFinite: Bool { forget.isFinite && retain.isFinite && total.isFinite }
  }

  /// Rows that a packed trial of several edits may have at most.
  private static let packedRows = 2048

  private let model: TargetModel
  private let head: LossHead
  private let settings: Settings
  private let forget: [TokenWindow]
  private let retain: [TokenWindow]
  private let forgetTargets: [Int]
  private let retainTargets: [Int]
  private let prefix: PackedPass.Prefix
  private let base: BaseDistribution?

  /// Prepares the problem for edits of the given sites.
  public init(
    model: TargetModel, editedSites: some Sequence<Site>, forget: [TokenWindow], retain: [TokenWindow],
    settings: Settings
  ) {
    precondition(!forget.isEmpty, "a fine-tune sees at least one token")
    guard let stage = editedSites.map(\.stage).min() else { preconditionFailure("an edit of no site") }
    self.model = model
    head = LossHead(model: model)
    self.settings = settings
    self.forget = forget
    self.retain = retain
    forgetTargets = forget.flatMap(\.targets)
    retainTargets = retain.flatMap(\.targets)
    let unedited = TokenBatch(sequences: (forget + retain).map(\.inputs), edited: false)
    prefix = PackedPass.Prefix(model: model, batch: unedited, upTo: stage)
    if settings.retainLoss == .crossEntropy || retain.isEmpty {
      base = nil
    } else {
      let residual = PackedPass(model: model, batch: unedited, start: prefix).forward()
      base = BaseDistribution(
        head: head, residual: residual.rows(forgetTargets.count..<forgetTargets.count + retainTargets.count))
    }
  }

  /// Tokens of one pass: forget and retain rows together.
  public var rows: Int { forgetTargets.count + retainTargets.count }

  /// Losses under an edit.
  public func losses(_ edit: any Edit) -> Losses {
    losses([edit])[0]
  }

  /// Losses under each of several edits, in shared passes.
  public func losses(_ edits: [any Edit]) -> [Losses] {
    let packed = max(1, Self.packedRows / rows)
    return stride(from: 0, to: edits.count, by: packed).flatMap { start in
      let group = Array(edits[start..<min(start + packed, edits.count)])
      let pass = self.pass(group)
      return collect(
        head.losses(residual: pass.forward(), terms: terms(copies: group.count), gradient: nil))
    }
  }

  /// Losses under an edit, and the gradient of the total in its parameters (overwriting what was there).
  public func lossesAndGradient(_ edit: any Edit) -> Losses {
    edit.clearGradients()
    let pass = self.pass([edit])
    let residual = pass.forward(keepsTape: true)
    let gradient = Matrix(uninitializedRows: residual.rows, columns: residual.columns)
    let losses = collect(head.losses(residual: residual, terms: terms(copies: 1), gradient: gradient))
    pass.backward(gradient)
    edit.collectGradients()
    return losses[0]
  }

  private func pass(_ edits: [any Edit]) -> PackedPass {
    var batch = TokenBatch()
    for index in edits.indices {
      for window in forget + retain { batch.append(window.inputs, edit: index) }
    }
    return PackedPass(
      model: model, batch: batch, edits: edits, start: edits.count == 1 ? prefix : prefix.repeated(edits.count))
  }

  /// Forget and retain term of each copy of the rows.
  private func terms(copies: Int) -> [LossTerm] {
    (0..<copies).flatMap { copy in
      let start = copy * rows
      let middle = start + forgetTargets.count
      let forget = LossTerm(
        rows: start..<middle, targets: forgetTargets, kind: .forget(settings.forgetLoss), weight: 1)
      let retain = LossTerm(
        rows: middle..<start + rows, targets: retainTargets, kind: .retain(settings.retainLoss, base: base),
        weight: settings.retainWeight)
      return retainTargets.isEmpty ? [forget] : [forget, retain]
    }
  }

  private func collect(_ values: [Double]) -> [Losses] {
    let width = retainTargets.isEmpty ? 1 : 2
    return stride(from: 0, to: values.count, by: width).map { index in
      let retain = width == 2 ? values[index + 1] : 0
      return Losses(
        forget: values[index], retain: retain, total: values[index] + settings.retainWeight * retain)
    }
  }
}
