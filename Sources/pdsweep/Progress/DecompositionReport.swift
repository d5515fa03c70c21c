internal import Foundation
internal import LanguageModel
internal import ParameterDecomposition

/// Tells people how a decomposition gets on. Belongs to the thread of the decomposition.
final class DecompositionReport {
  /// The part of a step in the figures shown: they are means over some twenty steps.
  private static let weightOfStep = 0.05
  /// The terminal is not written to more often.
  private static let interval = Duration.milliseconds(100)
  /// Steps from one remark on what is active to the next.
  private static let remarkEvery = 200

  private let recipe: DecompositionRecipe
  private let display: ProgressDisplay
  private let now: () -> Duration
  private var means: [String: Double] = [:]
  private var active: [Site: Double] = [:]
  private var shown: Duration?
  /// When the first step was made: what comes before it says nothing of the time that steps take.
  private var begun: (step: Int, at: Duration)?

  /// - Parameter now: the time since the decomposition began.
  init(_ recipe: DecompositionRecipe, display: ProgressDisplay, now: @escaping () -> Duration) {
    self.recipe = recipe
    self.display = display
    self.now = now
  }

  /// Takes in what happened.
  func take(_ event: DecompositionControl.Event) {
    switch event {
    case .resumed(let step, let steps):
      display.remark("going on behind step \(step) of \(steps)")
    case .stepped(let step, let steps):
      mix(step)
      let elapsed = now()
      if begun == nil { begun = (step.step, elapsed) }
      if step.step.isMultiple(of: Self.remarkEvery) || step.step == steps {
        let sites = active.sorted { $0.key < $1.key }.map { "\($0.key) " + String(format: "%.1f", $0.value) }
        display.remark("step \(step.step): \(figures); active \(sites.joined(separator: ", "))")
      }
      if let shown, step.step != steps, elapsed - shown < Self.interval { return }
      shown = elapsed
      display.show(line(step.step, steps, elapsed), ended: step.step, of: steps, after: elapsed)
    }
  }

  private func mix(_ step: VPDStep) {
    let values = [
      ("stochastic", step.stochastic), ("adversarial", step.adversarial), ("importance", step.importance),
      ("faithfulness", step.faithfulness),
    ]
    for (name, value) in values {
      if let value { means[name] = Self.mixed(means[name], value) }
    }
    for (site, value) in step.active { active[site] = Self.mixed(active[site], value) }
  }

  private static func mixed(_ mean: Double?, _ value: Double) -> Double {
    mean.map { $0 + weightOfStep * (value - $0) } ?? value
  }

  private var figures: String {
    let names = ["stochastic", "adversarial", "importance", "faithfulness"]
    return names.compactMap { name in means[name].map { "\(name) " + String(format: "%.3g", $0) } }
      .joined(separator: ", ")
  }

  /// One line, what matters most first.
  private func line(_ step: Int, _ steps: Int, _ elapsed: Duration) -> String {
    let total = active.values.reduce(0, +)
    var parts = [
      "\(recipe.name): step \(step)/\(steps) (\(100 * step / steps) %)", figures,
      String(format: "active %.1f", total),
    ]
    if let begun, step > begun.step, step < steps {
      let seconds = (elapsed - begun.at) / .seconds(1) / Double(step - begun.step)
      parts.append("\(Duration.seconds(seconds * Double(steps - step)).estimate) left")
    }
    return parts.joined(separator: ", ")
  }
}
