public import Foundation
internal import LanguageModel

/// What a target is made of, as far as it can be told without running it.
public struct TargetSummary: Sendable, Hashable, Encodable {
  /// A site.
  public struct Site: Sendable, Hashable, Encodable {
    /// Such as `h.1.mlp.c_fc`.
    public let site: String
    /// C.
    public let subcomponents: Int
  }

  /// A decomposition.
  public struct Decomposition: Sendable, Hashable, Encodable {
    /// Its file name.
    public let file: String
    /// Its sites, in the model's order.
    public let sites: [Site]
    /// Whether it has an importance function.
    public let importance: Bool
    /// The languages of its harvest; none without a harvest.
    public let languages: [String]
    /// The subcomponents that stand for each language, where the target is packed.
    public let selected: [String: [String]]
  }

  /// The name by which it is found.
  public let name: String
  /// Its folder.
  public let folder: String
  /// Number of weights.
  public let parameters: Int
  /// V.
  public let vocabulary: Int
  /// Number of blocks.
  public let layers: Int
  /// Width of the residual stream.
  public let width: Int
  /// Number of query heads.
  public let heads: Int
  /// Width inside the MLP.
  public let intermediate: Int
  /// The longest sequence it was trained on, tokens.
  public let context: Int
  /// Bytes of the files of the folder.
  public let bytes: Int
  /// The program that packed it; `nil` for a folder that is not packed.
  public let packed: String?
  /// Its decompositions, by file name.
  public let decompositions: [Decomposition]

  /// The names of the decompositions that lie in a target's folder.
  ///
  /// - Throws: an `InputFileError` if the folder cannot be looked into.
  public static func decompositions(in folder: URL) throws -> [String] {
    try DecompositionFiles.all(in: folder.path).map(\.name)
  }

  /// Reads a target's folder. Of a packed one every file is digested.
  ///
  /// - Throws: an `InputFileError` for the first file that is missing or wrong, does not fit the others, or is another
  ///   than the target's provenance says.
  public init(name: String, folder: URL) throws {
    let provenance = try TargetProvenance(folder: folder)
    try provenance?.check(folder: folder)
    let target = try TargetFolder(path: folder.path)
    let configuration = target.model.configuration
    self.name = name
    self.folder = folder.path
    parameters = configuration.weightCount
    vocabulary = configuration.vocabularySize
    layers = configuration.layers
    width = configuration.width
    heads = configuration.heads
    intermediate = configuration.intermediate
    context = configuration.blockSize
    packed = provenance?.program
    bytes = try FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: [.fileSizeKey]).reduce(
      0
    ) { try $0 + ($1.resourceValues(forKeys: [.fileSizeKey]).fileSize ?? 0) }
    decompositions = try DecompositionFiles.all(in: folder.path).map { files in
      let known = provenance?.decompositions[files.name]
      let parts = try LanguageModel.Decomposition(path: files.path, configuration: configuration)
      var languages = known?.languages ?? []
      // The harvest of a packed target was read when it was packed, and is the same since.
      if provenance == nil, DecompositionFiles.exists(files.harvest) {
        languages = try HarvestRecord(path: files.harvest).provenance.languages
      }
      return Decomposition(
        file: files.name, sites: parts.sites.map { Site(site: "\($0.site)", subcomponents: $0.count) },
        importance: DecompositionFiles.exists(files.importance), languages: languages,
        selected: known?.selected?.mapValues { $0.map(\.subcomponent) } ?? [:])
    }
  }
}

extension ModelConfiguration {
  /// Number of weights: embedding, norms and matrices.
  fileprivate var weightCount: Int {
    let matrices = sites.reduce(0) { sum, site in
      let shape = shape(of: site)
      return sum + shape.inputs * shape.outputs
    }
    return vocabularySize * width + (2 * layers + 1) * width + matrices
  }
}
