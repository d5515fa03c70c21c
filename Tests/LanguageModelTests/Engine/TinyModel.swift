import TensorKernels

@testable import LanguageModel

/// A model of random weights, small enough for many passes, and edits and windows that fit it.
struct TinyModel {
  /// Two query heads share a key head.
  static let configuration = ModelConfiguration(
    blockSize: 16, context: 24, vocabularySize: 29, layers: 2, heads: 4, keyValueHeads: 2, width: 16, intermediate: 24)

  let model: TargetModel
  private var generator: SplitMix64
  private var gaussian = GaussianSource()

  init(seed: UInt64, configuration: ModelConfiguration = Self.configuration) {
    var generator = SplitMix64(seed: seed)
    var gaussian = GaussianSource()
    func random(_ rows: Int, _ columns: Int, scale: Double, around mean: Double = 0) -> ConstantMatrix {
      let elements = (0..<rows * columns).map { _ in Float(mean + gaussian.next(using: &generator) * scale) }
      return ConstantMatrix(rows: rows, columns: columns, elements: elements)
    }
    func norm() -> ConstantMatrix { random(1, configuration.width, scale: 0.2, around: 1) }
    var matrices: [Site: ConstantMatrix] = [:]
    for site in configuration.sites {
      let shape = configuration.shape(of: site)
      matrices[site] = random(shape.outputs, shape.inputs, scale: 1 / Double(shape.inputs).squareRoot())
    }
    model = TargetModel(
      configuration: configuration,
      weights: TargetModel.Weights(
        embedding: random(configuration.vocabularySize, configuration.width, scale: 0.5), finalNorm: norm(),
        norms: (0..<configuration.layers).map { _ in (norm(), norm()) }, matrices: matrices))
    self.generator = generator
    self.gaussian = gaussian
  }

  mutating func normals(_ count: Int, scale: Double = 1) -> [Float] {
    (0..<count).map { _ in Float(gaussian.next(using: &generator) * scale) }
  }

  mutating func matrix(_ rows: Int, _ columns: Int, scale: Double = 1) -> Matrix {
    Matrix(rows: rows, columns: columns, elements: normals(rows * columns, scale: scale))
  }

  mutating func tokens(_ count: Int) -> [Int] {
    (0..<count).map { _ in Int.random(in: 0..<model.configuration.vocabularySize, using: &generator) }
  }

  mutating func windows(_ lengths: [Int]) -> [TokenWindow] {
    lengths.map { TokenWindow(inputs: tokens($0), targets: tokens($0)) }
  }

  /// Subcomponents of random directions at each of the sites, `count` of them.
  mutating func subcomponents(_ sites: [Site], count: Int = 1) -> [PrefactorEdit.Subcomponent] {
    sites.flatMap { site in
      let shape = model.configuration.shape(of: site)
      return (0..<count).map { index in
        PrefactorEdit.Subcomponent(
          name: SubcomponentName(site: site, index: index),
          read: normals(shape.inputs, scale: 1 / Double(shape.inputs).squareRoot()), write: normals(shape.outputs))
      }
    }
  }

  /// Prefactors of random subcomponents, at random alphas about 1.
  mutating func prefactors(
    _ sites: [Site], count: Int = 1, sharing: PrefactorEdit.Sharing = .separate
  ) -> PrefactorEdit {
    let edit = PrefactorEdit(subcomponents(sites, count: count), sharing: sharing)
    edit.alphas = edit.names.map { _ in 1 + gaussian.next(using: &generator) * 0.5 }
    return edit
  }

  /// A LoRA with random numbers in both factors.
  mutating func lora(_ sites: [Site], rank: Int = 2, scale: Double = 1) -> LoRAEdit {
    LoRAEdit(
      sites.map { site in
        let shape = model.configuration.shape(of: site)
        return LoRAEdit.Factors(
          site: site, a: matrix(rank, shape.inputs, scale: 0.3), b: matrix(shape.outputs, rank, scale: 0.3))
      }, scale: scale)
  }

  /// A full fine-tune with random changes of all numbers.
  mutating func full(_ sites: [Site]) -> FullEdit {
    FullEdit(
      sites.map { site in
        let shape = model.configuration.shape(of: site)
        return (site, matrix(shape.outputs, shape.inputs, scale: 0.1))
      })
  }

  func problem(
    _ sites: some Sequence<Site>, forget: [TokenWindow], retain: [TokenWindow],
    _ forgetLoss: ForgetObjective = .uniformKL, _ retainLoss: RetainObjective = .kl, retainWeight: Double = 0.7
  ) -> FineTuneProblem {
    FineTuneProblem(
      model: model, editedSites: sites, forget: forget, retain: retain,
      settings: .init(forgetLoss: forgetLoss, retainLoss: retainLoss, retainWeight: retainWeight))
  }

  /// Logits of sequences, `[N, V]`, by one pass from the embedding.
  func logits(_ sequences: [[Int]], edit: (any Edit)? = nil) -> Matrix {
    let batch = TokenBatch(sequences: sequences, edited: edit != nil)
    let head = LossHead(model: model)
    let residual = PackedPass(model: model, batch: batch, edits: edit.map { [$0] } ?? []).forward()
    return head.logits(normed: head.normalised(residual).normed)
  }
}

/// max |x - y|; infinite where one of them is not a number.
func largestDifference(_ x: some Sequence<Float>, _ y: some Sequence<Float>) -> Double {
  zip(x, y).reduce(0) { worst, pair in
    let difference = abs(Double(pair.0) - Double(pair.1))
    return difference.isNaN ? .infinity : max(worst, difference)
  }
}
