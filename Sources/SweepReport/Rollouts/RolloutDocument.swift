internal import Foundation
public import SweepCore

/// The content of `rollouts.json`: what edits do to text, token by token. Keys are sorted and in snake case. Losses are
/// in nats, rounded to 0.0001.
///
/// Prompts and windows stand once, with what the base model makes of them; every edit has one entry for each, in the
/// same order. The same results give the same bytes.
public struct RolloutDocument: Sendable, Hashable, Codable {
  /// Counts changes that readers of the file would notice.
  public static let schema = "pdsweep.rollouts/1"
  /// Bounds of the bins that divergences are counted in, nats: quarters of a decade.
  public static let divergenceEdges = (0...26).map { quarter in
    (pow(10, -5 + Double(quarter) / 4) * 1e8).rounded() / 1e8
  }

  /// ``schema`` of this version.
  public var schema = Self.schema
  /// The sweep's name.
  public var sweep: String
  /// How continuations were drawn.
  public var sampling: Sampling
  /// The corpora, in the sweep's order.
  public var corpora: [Corpus]
  /// What was continued.
  public var prompts: [Prompt]
  /// Held-out text, of the test split.
  public var windows: [Window]
  /// Bounds of the bins of ``Histogram``, ascending, nats.
  public var divergenceEdges: [Double]
  /// The edits, in the order of the sweep's methods.
  public var edits: [EditedModel]

  /// How continuations were drawn: from the same seed by the base and by every edit.
  public struct Sampling: Sendable, Hashable, Codable {
    /// Tokens at most; a continuation ends earlier where the model ends its text.
    public var tokens: Int
    /// The temperature; 0 = always the likeliest token.
    public var temperature: Double
    /// The seed.
    public var seed: UInt64

    /// Creates settings.
    public init(tokens: Int, temperature: Double, seed: UInt64) {
      self.tokens = tokens
      self.temperature = temperature
      self.seed = seed
    }
  }

  /// A corpus of the sweep.
  public struct Corpus: Sendable, Hashable, Codable {
    /// Its name.
    public var name: String
    /// What it is for.
    public var role: CorpusRole

    /// Creates a corpus.
    public init(name: String, role: CorpusRole) {
      self.name = name
      self.role = role
    }
  }

  /// A text to be continued.
  public struct Prompt: Sendable, Hashable, Codable {
    /// The corpus whose test split it begins a line of; `nil` for one that the user gave.
    public var corpus: String?
    /// The text.
    public var text: String
    /// What the base model continues it with.
    public var base: String

    /// Creates a prompt.
    public init(corpus: String?, text: String, base: String) {
      self.corpus = corpus
      self.text = text
      self.base = base
    }
  }

  /// Tokens of held-out text that follow one another.
  public struct Window: Sendable, Hashable, Codable {
    /// The corpus.
    public var corpus: String
    /// The text that each token settles: joined, the text of the window. Empty for a token that ends within a
    /// character.
    public var tokens: [String]
    /// Cross-entropy of each token by the base model.
    public var base: [Double]

    /// Creates a window.
    public init(corpus: String, tokens: [String], base: [Double]) {
      self.corpus = corpus
      self.tokens = tokens
      self.base = base
    }
  }

  /// What an edit does.
  public struct EditedModel: Sendable, Hashable, Codable {
    /// Which edit, and what the sweep measured of it.
    public var edit: EditRecord
    /// One continuation for each of ``RolloutDocument/prompts``.
    public var continuations: [String]
    /// One entry for each of ``RolloutDocument/windows``.
    public var windows: [EditedWindow]
    /// One entry for each of ``RolloutDocument/corpora``: its whole test split as the sweep measures it.
    public var divergences: [Histogram]

    /// Creates an entry.
    public init(edit: EditRecord, continuations: [String], windows: [EditedWindow], divergences: [Histogram]) {
      self.edit = edit
      self.continuations = continuations
      self.windows = windows
      self.divergences = divergences
    }
  }

  /// A window under an edit.
  public struct EditedWindow: Sendable, Hashable, Codable {
    /// Cross-entropy of each token.
    public var crossEntropies: [Double]
    /// KL(base || edited) at each token.
    public var divergences: [Double]

    /// Creates a window.
    public init(crossEntropies: [Double], divergences: [Double]) {
      self.crossEntropies = crossEntropies
      self.divergences = divergences
    }
  }

  /// How KL(base || edited) is distributed over the tokens of a corpus.
  public struct Histogram: Sendable, Hashable, Codable {
    /// The mean, nats.
    public var mean: Double
    /// Tokens below the first of ``RolloutDocument/divergenceEdges``.
    public var below: Int
    /// Tokens in each bin: from an edge, that included, to the next.
    public var counts: [Int]
    /// Tokens at or above the last edge.
    public var above: Int

    /// Counts divergences.
    public init(_ divergences: some Collection<Float>, edges: [Double]) {
      counts = [Int](repeating: 0, count: edges.count - 1)
      (below, above) = (0, 0)
      var sum = 0.0
      for divergence in divergences {
        let value = Double(divergence)
        sum += value
        switch edges.lastIndex(where: { $0 <= value }) {
        case nil: below += 1
        case edges.count - 1: above += 1
        case let bin?: counts[bin] += 1
        }
      }
      mean = RolloutDocument.rounded(sum / Double(max(divergences.count, 1)))
    }
  }

  /// Creates a document.
  public init(
    sweep: String, sampling: Sampling, corpora: [Corpus], prompts: [Prompt], windows: [Window], edits: [EditedModel]
  ) {
    self.sweep = sweep
    self.sampling = sampling
    self.corpora = corpora
    self.prompts = prompts
    self.windows = windows
    divergenceEdges = Self.divergenceEdges
    self.edits = edits
  }

  /// A loss as the document gives it.
  public static func rounded(_ nats: Double) -> Double { (nats * 1e4).rounded() / 1e4 }
}
