public import LanguageModel

/// A recipe, parsed: which matrices of which model to decompose, how, and on what text.
///
/// Defaults are filled in. What the files that it names hold is not looked at yet.
public struct DecompositionRecipe: Sendable, Hashable {
  /// Which sites.
  public enum Sites: Sendable, Hashable {
    /// Every one of the model.
    case all
    /// These.
    case listed([Site])
  }

  /// The methods by the names that recipes give them.
  public enum MethodName: String, Sendable, Hashable, CaseIterable {
    /// ``SparseICA``.
    case ica
    /// ``SingularVectors``.
    case svd
    /// ``NeuronBasis``.
    case neurons
    /// ``VPD``.
    case vpd
  }

  /// How ``SparseICA`` is done.
  public struct ICA: Sendable, Hashable, Codable {
    /// Training tokens that the inputs are taken from, over all corpora.
    public var tokens: Int
    /// The random starts.
    public var seeds: [Int]
    /// The ridge, as a part of the mean second moment.
    public var ridge: Double
    /// The most iterations of a start.
    public var iterations: Int

    /// Ready to run.
    var decomposer: SparseICA {
      SparseICA(tokens: tokens, seeds: seeds.map { UInt64($0) }, ridge: ridge, iterations: iterations)
    }
  }

  /// A method with its settings.
  public enum Method: Sendable, Hashable {
    /// ``SparseICA``.
    case ica(ICA)
    /// ``SingularVectors``.
    case svd
    /// ``NeuronBasis``.
    case neurons
    /// ``VPD``, with the settings of the ICA that it may start from.
    case vpd(VPDSettings, ICA)

    /// Its name.
    public var name: MethodName {
      switch self {
      case .ica: .ica
      case .svd: .svd
      case .neurons: .neurons
      case .vpd: .vpd
      }
    }

    /// Steps of a method that takes any, and can be stopped and carried on.
    var steps: Int? {
      switch self {
      case .ica, .svd, .neurons: nil
      case .vpd(let settings, _): settings.steps
      }
    }

    /// Ready to run.
    var decomposer: any DecompositionMethod {
      switch self {
      case .ica(let ica): ica.decomposer
      case .svd: SingularVectors()
      case .neurons: NeuronBasis()
      case .vpd(let settings, let ica): VPD(settings: settings, ica: ica.decomposer)
      }
    }
  }

  /// The recipe's file, as the user named it.
  public var file: String
  /// The name of the decomposition and, without its ending, of its file.
  public var name: String
  /// The model folder, as the recipe names it.
  public var model: String
  /// The sites.
  public var sites: Sites
  /// The method.
  public var method: Method
  /// The texts, in the recipe's order. Their shares count in the mixture that methods look at.
  public var corpora: [RecipeCorpus]
  /// The text of the token that every window begins with.
  public var start: String
  /// Tokens of a window; `nil` = the model's own length.
  public var context: Int?
  /// Validation tokens to predict for each corpus.
  public var evaluationTokens: Int
}
