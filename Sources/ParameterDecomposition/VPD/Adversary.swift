internal import ContentHash
internal import LanguageModel
internal import TensorKernels

/// The persistent adversary: sources of masks, one for every subcomponent at every position of a window, that all
/// windows share and that go up the loss by projected gradient ascent, a little in every step.
///
/// In the VPD report's words persistent PGD. The rest of each matrix has a source as well, which is its mask.
struct Adversary {
  /// The sources of a site.
  struct Sources {
    /// `[T, C]`.
    let subcomponents: Matrix
    /// `[T, 1]`.
    let rest: Matrix

    /// Zeros of the same shapes, for gradients.
    var zeros: Sources {
      Sources(
        subcomponents: Matrix(rows: subcomponents.rows, columns: subcomponents.columns),
        rest: Matrix(rows: rest.rows, columns: 1))
    }
  }

  /// By site, in the training's order.
  let sources: [Sources]
  private let gradients: [Sources]
  let parameters: [TrainableParameter]
  private(set) var optimiser: AdamW
  private let settings: VPDSettings

  /// Sources at random between their bounds.
  init(settings: VPDSettings, sites: [TrainedSite], positions: Int) {
    sources = sites.map { site in
      let sources = Sources(
        subcomponents: Matrix(rows: positions, columns: site.count), rest: Matrix(rows: positions, columns: 1))
      func fill(_ matrix: Matrix, _ name: String, _ low: Double, _ high: Double) {
        UniformNoise.fill(
          matrix, seed: SHA256Digest(of: "vpd/\(settings.seed)/sources/\(site.site).\(name)").leadingWord,
          from: Float(low), to: Float(high))
      }
      fill(sources.subcomponents, "subcomponents", settings.leastSource, settings.greatestSource)
      fill(sources.rest, "rest", 0, 1)
      return sources
    }
    gradients = sources.map(\.zeros)
    parameters = zip(sites, zip(sources, gradients)).flatMap { site, pair in
      [
        TrainableParameter(
          name: "\(site.site).sources", value: pair.0.subcomponents, gradient: pair.1.subcomponents),
        TrainableParameter(name: "\(site.site).rest_sources", value: pair.0.rest, gradient: pair.1.rest),
      ]
    }
    optimiser = AdamW(settings: settings.adversaryAdamW, parameters: parameters)
    self.settings = settings
  }

  /// Goes on from what the ascent had come to after `step` updates; the sources' values are set by themselves.
  mutating func restore(step: Int, moments: [AdamW.Moments]) {
    optimiser = AdamW(settings: settings.adversaryAdamW, parameters: parameters, moments: moments, step: step)
  }

  /// One step up the loss, whose gradients the parts of a batch have found; back between the bounds where it leaves
  /// them.
  mutating func ascend(_ parts: [[Sources]]) {
    for (index, sum) in gradients.enumerated() {
      sum.subcomponents.fill(0)
      sum.rest.fill(0)
      for part in parts {
        // AdamW goes down.
        sum.subcomponents.add(part[index].subcomponents, scale: -1)
        sum.rest.add(part[index].rest, scale: -1)
      }
    }
    optimiser.update(parameters)
    for site in sources {
      site.subcomponents.clip(to: Float(settings.leastSource)...Float(settings.greatestSource))
      site.rest.clip(to: 0...1)
    }
  }
}
