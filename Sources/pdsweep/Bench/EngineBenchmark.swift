internal import Foundation
internal import LanguageModel
internal import TensorKernels

/// Measures the engine on a model of the published shape with random weights: 4 layers, width 768, 6 heads, MLP 3072,
/// vocabulary 50,277, context 512.
struct EngineBenchmark {
  /// What `pdsweep bench engine` prints, as one line of JSON.
  struct Report: Encodable {
    /// BLAS threads.
    var threads: Int
    /// Forward pass and cross-entropy on 8 windows of 512 tokens, tokens a second.
    var evalTokensPerSecond: Double
    /// One AdamW step of one prefactor at h.2.mlp.down_proj on 4 forget + 256 retain tokens, seconds.
    var scalarStepSeconds: Double
    /// One AdamW step of a rank-1 LoRA at all sites on the same tokens, seconds.
    var loraRank1StepSeconds: Double
    /// One AdamW step of a rank-4 LoRA at all sites on the same tokens, seconds.
    var loraRank4StepSeconds: Double
    /// The best rate of the BLAS over a few large products, in the same run.
    var gemmPeakGflops: Double
    /// The process's peak resident memory, MiB.
    var peakResidentMiB: Double

    enum CodingKeys: String, CodingKey {
      case threads
      case evalTokensPerSecond = "eval_tokens_per_s"
      case scalarStepSeconds = "scalar_step_s"
      case loraRank1StepSeconds = "lora_rank1_step_s"
      case loraRank4StepSeconds = "lora_rank4_step_s"
      case gemmPeakGflops = "gemm_peak_gflops"
      case peakResidentMiB = "peak_rss_mib"
    }
  }

  /// The published shape.
  static let configuration = ModelConfiguration(
    blockSize: 512, context: 512, vocabularySize: 50_277, layers: 4, heads: 6, keyValueHeads: 6, width: 768,
    intermediate: 3072, rotaryBase: 10_000, rotaryAdjacentPairs: false, rmsNormEpsilon: 1e-6)

  private let threads: Int
  private let repetitions: Int
  private let model: TargetModel
  private var generator = SplitMix64(seed: 67)

  /// Makes the model. Process-wide effect: sets the number of BLAS threads.
  init(threads: Int, repetitions: Int) {
    self.threads = threads
    self.repetitions = repetitions
    Product.setThreads(threads)
    var generator = SplitMix64(seed: 1)
    model = Self.randomModel(using: &generator)
  }

  /// Measures everything; figures are medians over the repetitions.
  mutating func run() -> Report {
    let peak = Self.productPeak()
    let evaluation = evaluationSeconds()
    let forget = [window(length: 4)]
    let retain = [window(length: 256)]
    let site = Site(layer: 2, kind: .contract)
    let prefactor = PrefactorEdit(
      [
        PrefactorEdit.Subcomponent(
          name: SubcomponentName(site: site, index: 0), read: numbers(configuration.intermediate),
          write: numbers(configuration.width))
      ], sharing: .separate)
    let scalar = stepSeconds(prefactor, forget: forget, retain: retain)
    let rank1 = stepSeconds(lora(rank: 1), forget: forget, retain: retain)
    let rank4 = stepSeconds(lora(rank: 4), forget: forget, retain: retain)
    return Report(
      threads: threads, evalTokensPerSecond: 4096 / evaluation, scalarStepSeconds: scalar,
      loraRank1StepSeconds: rank1, loraRank4StepSeconds: rank4, gemmPeakGflops: peak,
      peakResidentMiB: ProcessMemory.peakResidentMiB)
  }

  private var configuration: ModelConfiguration { Self.configuration }

  private mutating func evaluationSeconds() -> Double {
    let windows = (0..<8).map { _ in window(length: 512) }
    let evaluator = Evaluator(model: model)
    return median(
      (0..<repetitions + 1).map { _ in elapsed { _ = evaluator.meanCrossEntropy(of: windows) } }.dropFirst())
  }

  /// The time between two steps, which is that of one forward pass, backward pass and update.
  private func stepSeconds(_ edit: any Edit, forget: [TokenWindow], retain: [TokenWindow]) -> Double {
    let problem = FineTuneProblem(
      model: model, editedSites: edit.deltas.keys, forget: forget, retain: retain,
      settings: .init(forgetLoss: .cappedAscent, retainLoss: .kl, retainWeight: 1))
    let clock = ContinuousClock()
    var marks: [ContinuousClock.Instant] = []
    do {
      _ = try FineTune(problem).adamW(
        .init(steps: repetitions + 2, learningRate: 1e-4), edit: edit
      ) { _, _ in
        marks.append(clock.now)
        return true
      }
    } catch {
      preconditionFailure("a few small steps on random weights cannot diverge: \(error)")
    }
    return median(zip(marks, marks.dropFirst()).map { inSeconds($1 - $0) }.dropFirst())
  }

  private mutating func lora(rank: Int) -> LoRAEdit {
    LoRAEdit(
      rank: rank, scale: Double(rank), sites: configuration.sites, configuration: configuration,
      generator: &generator)
  }

  private mutating func window(length: Int) -> TokenWindow {
    let tokens = (0...length).map { _ in Int.random(in: 0..<configuration.vocabularySize, using: &generator) }
    return TokenWindow(inputs: Array(tokens.dropLast()), targets: Array(tokens.dropFirst()))
  }

  private mutating func numbers(_ count: Int) -> [Float] {
    (0..<count).map { _ in Float.random(in: -0.05...0.05, using: &generator) }
  }

  /// The best of three rates, for each of three large products, GFLOP/s.
  private static func productPeak() -> Double {
    let shapes = [(m: 512, n: 3072, k: 768), (m: 2048, n: 3072, k: 768), (m: 1024, n: 2048, k: 2048)]
    return shapes.map { shape in
      let a = Matrix(rows: shape.m, columns: shape.k)
      let b = Matrix(rows: shape.n, columns: shape.k)
      let c = Matrix(rows: shape.m, columns: shape.n)
      a.fill(0.5)
      b.fill(0.25)
      let best = (0..<4).map { _ in elapsed { Product.multiply(a, transposed: b, into: c) } }.min() ?? .infinity
      return 2 * Double(shape.m * shape.n * shape.k) / best / 1e9
    }.max() ?? 0
  }

  private static func randomModel(using generator: inout SplitMix64) -> TargetModel {
    func matrix(_ rows: Int, _ columns: Int, _ generator: inout SplitMix64) -> ConstantMatrix {
      let scale = 1 / Float(columns).squareRoot()
      let elements = (0..<rows * columns).map { _ in
        (Float(generator.next() >> 40) / Float(1 << 23) - 1) * scale
      }
      return ConstantMatrix(rows: rows, columns: columns, elements: elements)
    }
    let ones = ConstantMatrix(
      rows: 1, columns: configuration.width, elements: [Float](repeating: 1, count: configuration.width))
    var matrices: [Site: ConstantMatrix] = [:]
    for site in configuration.sites {
      let shape = configuration.shape(of: site)
      matrices[site] = matrix(shape.outputs, shape.inputs, &generator)
    }
    return TargetModel(
      configuration: configuration,
      weights: .init(
        embedding: matrix(configuration.vocabularySize, configuration.width, &generator), finalNorm: ones,
        norms: (0..<configuration.layers).map { _ in (ones, ones) }, matrices: matrices))
  }
}

private func elapsed(_ body: () -> Void) -> Double {
  inSeconds(ContinuousClock().measure(body))
}

private func inSeconds(_ duration: Duration) -> Double {
  Double(duration.components.seconds) + Double(duration.components.attoseconds) * 1e-18
}

private func median(_ values: some Collection<Double>) -> Double {
  let sorted = values.sorted()
  let middle = sorted.count / 2
  return sorted.count.isMultiple(of: 2) ? (sorted[middle - 1] + sorted[middle]) / 2 : sorted[middle]
}

/// The memory of this process.
enum ProcessMemory {
  /// The most that has been resident at a time, MiB: `VmHWM`; 0 where the system does not tell.
  static var peakResidentMiB: Double {
    guard let status = try? String(contentsOfFile: "/proc/self/status", encoding: .utf8),
      let line = status.split(separator: "\n").first(where: { $0.hasPrefix("VmHWM:") }),
      let kibibytes = line.split(whereSeparator: \.isWhitespace).compactMap({ Double($0) }).first
    else { return 0 }
    return kibibytes / 1024
  }
}
