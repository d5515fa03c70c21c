internal import ContentHash
internal import Foundation
public import LanguageModel
internal import TensorKernels

/// `NAME.importance.safetensors` beside a decomposition `NAME.safetensors`: the importance functions of its sites.
///
/// Holds `SITE.hidden [H, d_in]`, `SITE.hidden_bias [1, H]`, `SITE.output [C, H]` and `SITE.output_bias [1, C]` for every
/// site of the decomposition, and nothing else; H may differ by site. The entry `decomposition` of the metadata is the
/// SHA-256 of the decomposition that it was made with. A decomposition without such a file has no importance function.
public enum ImportanceFile {
  private static let digestKey = "decomposition"
  private static let ending = ".importance.safetensors"

  /// Where the importance functions of a decomposition stand.
  public static func path(beside decomposition: String) -> String {
    URL(fileURLWithPath: decomposition).deletingPathExtension().path + ending
  }

  /// Reads the file beside a decomposition, site by site in the decomposition's order; `nil` if there is none.
  ///
  /// - Throws: an `InputFileError` if the file does not fit the decomposition, and whatever keeps the decomposition from
  ///   being read for its digest.
  public static func read(beside decomposition: Decomposition) throws -> [ImportanceFunction]? {
    let path = path(beside: decomposition.path)
    guard FileManager.default.fileExists(atPath: path) else { return nil }
    let file = try SafetensorsFile(path: path)
    if let made = file.metadata[digestKey] {
      let digest = try SHA256Digest(ofFile: URL(fileURLWithPath: decomposition.path)).hexadecimal
      guard made == digest else {
        throw InputFileError(
          file: path, place: "metadata.\(digestKey)",
          problem: "expected \(digest), the SHA-256 of \(decomposition.path), found \(made.prefix(64))",
          advice: "it belongs to another decomposition: bring that back, or remove this file")
      }
    }
    var expected: Set<String> = []
    var functions: [ImportanceFunction] = []
    for factors in decomposition.sites {
      func matrix(_ part: Part, _ rows: Int?, _ columns: Int) throws(InputFileError) -> Matrix {
        let name = part.name(at: factors.site)
        expected.insert(name)
        let matrix = try file.matrix(name, rows: rows, columns: columns)
        try file.requireFinite(matrix, name)
        return Matrix(copying: matrix)
      }
      let hidden = try matrix(.hidden, nil, factors.read.rows)
      functions.append(
        ImportanceFunction(
          site: factors.site, hidden: hidden, hiddenBias: try matrix(.hiddenBias, 1, hidden.rows),
          output: try matrix(.output, factors.count, hidden.rows),
          outputBias: try matrix(.outputBias, 1, factors.count)))
    }
    if let other = file.tensors.first(where: { !expected.contains($0.name) }) {
      throw InputFileError(
        file: path, place: other.name,
        problem: "expected tensors of the \(decomposition.sites.count) sites of \(decomposition.path) only, found this",
        advice: "check that the two files belong together")
    }
    return functions
  }

  /// Writes the functions beside the decomposition that they belong to, which has been written before. An older file is
  /// replaced only when the new one is complete.
  ///
  /// - Throws: an `InputFileError` if the file cannot be written, and whatever keeps the decomposition from being read.
  public static func write(_ functions: [ImportanceFunction], beside decomposition: String) throws {
    let digest = try SHA256Digest(ofFile: URL(fileURLWithPath: decomposition))
    let tensors = functions.flatMap { function in
      Part.allCases.map { part in
        let matrix = part.matrix(of: function)
        return SafetensorsFile.Content(
          name: part.name(at: function.site), shape: [matrix.rows, matrix.columns],
          elements: matrix.copyOfElements())
      }
    }
    try SafetensorsFile.write(
      tensors, metadata: [digestKey: digest.hexadecimal], to: path(beside: decomposition))
  }

  /// The matrices of a function by their names in the file.
  private enum Part: String, CaseIterable {
    case hidden
    case hiddenBias = "hidden_bias"
    case output
    case outputBias = "output_bias"

    func name(at site: Site) -> String { "\(site).\(rawValue)" }

    func matrix(of function: ImportanceFunction) -> Matrix {
      switch self {
      case .hidden: function.hidden
      case .hiddenBias: function.hiddenBias
      case .output: function.output
      case .outputBias: function.outputBias
      }
    }
  }
}
