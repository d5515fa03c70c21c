internal import ContentHash
internal import LanguageModel
internal import TensorKernels

/// Trains a model from scratch.
///
/// Every step takes the next windows of the mixture, the gradient of their mean cross-entropy, and an update of AdamW.
/// The model depends on the recipe and its files alone: not on the number of threads, nor on how often the training
/// was interrupted and carried on.
public struct Pretraining: Sendable {
  /// What there is to tell in the course of a training.
  public enum Event: Sendable {
    /// It goes on behind so many steps, from a checkpoint.
    case resumed(step: Int)
    /// A step was made.
    case stepped(Step)
    /// The model was measured.
    case measured(PretrainingRecord.Measurement)
  }

  /// A step.
  public struct Step: Sendable {
    /// Updates made, this one included.
    public let step: Int
    /// Mean cross-entropy of its windows, nats.
    public let loss: Double
    /// The same by language, of those that were among them.
    public let losses: [String: Double]
  }

  /// How a training came to its end.
  public enum Outcome: Sendable {
    /// The model is written, now or by an earlier run.
    case finished(PretrainingRecord, already: Bool)
    /// It was asked to stop; a checkpoint behind so many steps is written.
    case stopped(step: Int)
  }

  /// The training blew up: a loss or a gradient became infinite or not a number.
  public struct Divergence: Error, CustomStringConvertible {
    /// The update that could not be made, counted from 1.
    public let step: Int

    /// One line for people.
    public var description: String {
      "the training diverged at step \(step): a loss or a gradient is not a finite number; lower training.learning_rate "
        + "or training.clip_norm, or raise training.warm_up, and name another --output folder"
    }
  }

  private let inputs: PretrainingInputs
  private let folder: PretrainingFolder
  private let threads: Int
  private let program: String
  private let identity: SHA256Digest

  /// Prepares a training.
  ///
  /// - Parameters:
  ///   - inputs: the recipe and its files.
  ///   - folder: where the model is to be.
  ///   - threads: threads to compute on.
  ///   - program: the name and version of this program, for the record.
  public init(_ inputs: PretrainingInputs, folder: PretrainingFolder, threads: Int, program: String) {
    self.inputs = inputs
    self.folder = folder
    self.threads = threads
    self.program = program
    identity = inputs.identity
  }

  /// Trains to the end, from a checkpoint if there is one. Process-wide effect: the BLAS uses one thread a product.
  ///
  /// Runs on the calling thread and others for as long as it takes: not for Swift's cooperative pool.
  ///
  /// - Parameters:
  ///   - shouldStop: asked before every step, from any thread.
  ///   - observe: is told of every event, on the calling thread.
  /// - Throws: `InputFileError` for a folder that cannot be used or a checkpoint that does not fit, ``Divergence``.
  public func run(shouldStop: @Sendable () -> Bool, observe: (Event) -> Void) throws -> Outcome {
    var state: PretrainingState
    switch try folder.content(identity: identity) {
    case .finished(let record):
      folder.removeCheckpoint()
      return .finished(record, already: true)
    case .begun:
      state = try PretrainingState(checkpoint: folder.checkpoint, inputs)
      observe(.resumed(step: state.step))
    case .nothing:
      state = PretrainingState(inputs)
    }
    try folder.prepare()
    Product.setThreads(1)
    return try train(&state, shouldStop: shouldStop, observe: observe)
  }

  private func train(
    _ state: inout PretrainingState, shouldStop: @Sendable () -> Bool, observe: (Event) -> Void
  ) throws -> Outcome {
    let recipe = inputs.recipe
    let steps = recipe.training.steps
    let schedule = LearningRateSchedule(training: recipe.training)
    let gradient = BatchGradient(
      configuration: inputs.configuration, batch: recipe.training.batch, threads: threads,
      into: state.weights.gradients)
    var mixture = inputs.mixture
    mixture.skip(state.step * recipe.training.batch)
    var saved = -1
    func save(_ state: borrowing PretrainingState) throws(InputFileError) {
      guard saved != state.step else { return }
      try state.write(to: folder.checkpoint, identity: identity)
      saved = state.step
    }

    while true {
      if shouldStop() {
        try save(state)
        return .stopped(step: state.step)
      }
      let model = state.weights.model
      let isDue = state.step.isMultiple(of: recipe.evaluation.every) || state.step == steps
      if isDue, state.measurements.last?.step != state.step {
        // Stopped, it is asked again above.
        guard let measurement = measure(model, state, shouldStop: shouldStop) else { continue }
        guard measurement.validation.values.allSatisfy(\.isFinite) else { throw Divergence(step: state.step) }
        state.measurements.append(measurement)
        state.since = state.since.map { _ in PretrainingState.LossSum() }
        observe(.measured(measurement))
      }
      if state.step == steps {
        try save(state)
        guard let test = inputs.test.crossEntropies(of: model, threads: threads, shouldStop: shouldStop) else {
          continue
        }
        guard test.allSatisfy(\.isFinite) else { throw Divergence(step: state.step) }
        let record = inputs.record(
          program: program, parameters: state.weights.count, windows: mixture.counts,
          measurements: state.measurements, test: test)
        try folder.finish(model, tokenizer: inputs.tokenizerBytes, record: record)
        return .finished(record, already: false)
      }
      if state.step > 0, state.step.isMultiple(of: recipe.checkpointEvery) { try save(state) }

      let draws = (0..<recipe.training.batch).map { _ in mixture.next() }
      let losses = gradient.losses(of: draws.map(\.window), model: model)
      let norm = state.optimiser.update(state.weights.parameters, rate: schedule.factor(ofStep: state.step))
      guard norm.isFinite, losses.allSatisfy(\.isFinite) else { throw Divergence(step: state.step) }
      for (draw, loss) in zip(draws, losses) {
        state.since[draw.language].nats += loss
        state.since[draw.language].windows += 1
      }
      observe(.stepped(step(state.step, draws, losses)))
    }
  }

  private func measure(
    _ model: TargetModel, _ state: borrowing PretrainingState, shouldStop: @Sendable () -> Bool
  ) -> PretrainingRecord.Measurement? {
    guard let validation = inputs.validation.crossEntropies(of: model, threads: threads, shouldStop: shouldStop) else {
      return nil
    }
    return PretrainingRecord.Measurement(
      step: state.step, tokens: state.step * inputs.recipe.tokensPerStep,
      training: inputs.named(state.since.map(\.mean)).compactMapValues(\.self),
      validation: inputs.named(validation))
  }

  private func step(_ number: Int, _ draws: [TextMixture.Draw], _ losses: [Double]) -> Step {
    var sums = inputs.languages.map { _ in PretrainingState.LossSum() }
    for (draw, loss) in zip(draws, losses) {
      sums[draw.language].nats += loss
      sums[draw.language].windows += 1
    }
    return Step(
      step: number, loss: losses.reduce(0, +) / Double(losses.count),
      losses: inputs.named(sums.map(\.mean)).compactMapValues(\.self))
  }
}
