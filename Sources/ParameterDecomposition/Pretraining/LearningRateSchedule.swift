internal import Foundation

/// The learning rate of every step, as a part of its greatest value.
///
/// With W steps of warm-up and S steps in all, update s (from 0) has (s + 1) / W for s < W; then the rate falls from 1
/// at update W to the final part at update S - 1.
struct LearningRateSchedule {
  let training: PretrainingRecipe.Training

  /// The factor of update `step`, counted from 0.
  func factor(ofStep step: Int) -> Double {
    let (warmUp, last) = (training.warmUp, training.steps - 1)
    if step < warmUp { return Double(step + 1) / Double(warmUp) }
    let progress = last == warmUp ? 1 : Double(step - warmUp) / Double(last - warmUp)
    let remaining =
      switch training.schedule {
      case .linear: 1 - progress
      case .cosine: (1 + cos(.pi * progress)) / 2
      }
    return training.finalLearningRate + (1 - training.finalLearningRate) * remaining
  }
}
