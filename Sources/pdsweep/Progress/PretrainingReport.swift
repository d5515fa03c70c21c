internal import Foundation
internal import ParameterDecomposition

/// Tells people how a training gets on. Belongs to the thread of the training.
final class PretrainingReport {
  /// The part of a step in the losses shown: they are means over some twenty steps.
  private static let weightOfStep = 0.05
  /// The terminal is not written to more often.
  private static let interval = Duration.milliseconds(100)

  private let recipe: PretrainingRecipe
  private let display: ProgressDisplay
  private let now: () -> Duration
  private var firstStep = 0
  private var loss: Double?
  private var losses: [String: Double] = [:]
  private var shown: Duration?

  /// - Parameter now: the time since the training began.
  init(_ recipe: PretrainingRecipe, display: ProgressDisplay, now: @escaping () -> Duration) {
    self.recipe = recipe
    self.display = display
    self.now = now
  }

  /// Takes in what happened.
  func take(_ event: Pretraining.Event) {
    switch event {
    case .resumed(let step):
      firstStep = step
      display.remark("going on behind step \(step) of \(recipe.training.steps)")
    case .measured(let measurement):
      display.remark("step \(measurement.step): validation \(figures(measurement.validation))")
    case .stepped(let step):
      loss = Self.mixed(loss, step.loss)
      for (name, value) in step.losses { losses[name] = Self.mixed(losses[name], value) }
      let elapsed = now()
      let isLast = step.step == recipe.training.steps
      if let shown, !isLast, elapsed - shown < Self.interval { return }
      shown = elapsed
      display.show(line(step.step, elapsed), ended: step.step, of: recipe.training.steps, after: elapsed)
    }
  }

  private static func mixed(_ mean: Double?, _ value: Double) -> Double {
    mean.map { $0 + weightOfStep * (value - $0) } ?? value
  }

  /// One line, what matters most first.
  private func line(_ step: Int, _ elapsed: Duration) -> String {
    let steps = recipe.training.steps
    var parts = ["\(recipe.name): step \(step)/\(steps) (\(100 * step / steps) %)"]
    if let loss { parts.append(String(format: "loss %.3f (%@)", loss, figures(losses))) }
    let seconds = elapsed / .seconds(1)
    if seconds > 0, step > firstStep {
      let stepsPerSecond = Double(step - firstStep) / seconds
      parts.append(String(format: "%.0f tokens/s", stepsPerSecond * Double(recipe.tokensPerStep)))
      if step < steps { parts.append("\(Duration.seconds(Double(steps - step) / stepsPerSecond).estimate) left") }
    }
    return parts.joined(separator: ", ")
  }

  /// Nats by language, in the recipe's order.
  private func figures(_ values: [String: Double]) -> String {
    recipe.languages.compactMap { language in
      values[language.name].map { "\(language.name) " + String(format: "%.3f", $0) }
    }.joined(separator: ", ")
  }
}
