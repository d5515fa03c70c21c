public import ContentHash
public import Foundation
public import LanguageModel

/// Where a packed target comes from: `provenance.json` in its folder. It says which files belong to it, and holds what
/// the commands that made them have said: recipes, seeds and figures.
public struct TargetProvenance: Codable, Sendable, Hashable {
  /// A subcomponent that stands for a language, see `pdsweep target pack`.
  public struct Selected: Codable, Sendable, Hashable {
    /// Such as `h.1.mlp.c_fc:32`.
    public let subcomponent: String
    /// Its strength in the language over the highest strength in another.
    public let selectivity: Double
    /// Its strength in the language.
    public let strength: Double
  }

  /// What is known of a decomposition.
  public struct Decomposition: Codable, Sendable, Hashable {
    /// What `pdsweep decompose` said of it.
    var record: JSONTree?
    /// What `pdsweep evaluate` said of it.
    var evaluation: JSONTree?
    /// The languages of its harvest, in the order in which they were given.
    public var languages: [String]?
    /// The subcomponents that stand for each language.
    public var selected: [String: [Selected]]?
  }

  /// The file's name.
  public static let fileName = "provenance.json"

  /// Version of this form.
  var format = 1
  /// The target's name.
  public let name: String
  /// The program that packed it.
  public let program: String
  /// The files of the folder, but for this one.
  public let files: [String: SHA256Digest]
  /// What `pdsweep pretrain` said of the model.
  let pretraining: JSONTree?
  /// The decompositions by file name.
  public let decompositions: [String: Decomposition]
  /// Other files that tell of the making, by name: recipes, commands and times, the text's origin.
  let notes: [String: JSONTree]

  /// Reads the provenance of a target; `nil` if its folder has none.
  ///
  /// - Throws: if the file cannot be read or holds something else.
  public init?(folder: URL) throws(InputFileError) {
    let file = folder.appendingPathComponent(Self.fileName)
    guard FileManager.default.fileExists(atPath: file.path) else { return nil }
    self = try TargetJSON.read(
      Self.self, file.path, expected: "a target's provenance as `pdsweep target pack` writes it")
  }

  init(
    name: String, program: String, files: [String: SHA256Digest], pretraining: JSONTree?,
    decompositions: [String: Decomposition], notes: [String: JSONTree]
  ) {
    self.name = name
    self.program = program
    self.files = files
    self.pretraining = pretraining
    self.decompositions = decompositions
    self.notes = notes
  }

  /// Holds the files of the folder against their digests.
  ///
  /// - Throws: for the first file, by name, that is missing or another than it was.
  public func check(folder: URL) throws(InputFileError) {
    for (name, digest) in files.sorted(by: { $0.key < $1.key }) {
      let file = folder.appendingPathComponent(name)
      guard let found = try? SHA256Digest(ofFile: file) else {
        throw InputFileError(
          file: file.path, problem: "expected a file, as \(Self.fileName) says, found none that can be read",
          advice: "get or make the target again")
      }
      guard found == digest else {
        throw InputFileError(
          file: file.path, problem: "expected SHA-256 \(digest), as \(Self.fileName) says, found \(found)",
          advice: "get or make the target again")
      }
    }
  }
}

/// The JSON of packed targets.
enum TargetJSON {
  /// Reads a file.
  ///
  /// - Throws: if it cannot be read, or is not what was expected.
  static func read<Value: Decodable>(
    _ type: Value.Type, _ path: String, expected: String
  ) throws(InputFileError) -> Value {
    let bytes: Data
    do {
      bytes = try Data(contentsOf: URL(fileURLWithPath: path))
    } catch {
      throw InputFileError(
        file: path, problem: "cannot read the file: \(error.localizedDescription)",
        advice: "check the path and its permissions")
    }
    return try decode(type, bytes, path: path, expected: expected)
  }

  /// Reads text.
  ///
  /// - Throws: if it is not what was expected.
  static func decode<Value: Decodable>(
    _ type: Value.Type, _ bytes: Data, path: String, expected: String
  ) throws(InputFileError) -> Value {
    do {
      return try JSONDecoder().decode(type, from: bytes)
    } catch {
      throw InputFileError(file: path, problem: "expected \(expected), found something else", advice: "make it again")
    }
  }

  /// The text of a document, with the members of objects in the order of their names.
  static func text(of value: some Encodable) -> [UInt8] {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .prettyPrinted, .withoutEscapingSlashes]
    do {
      return Array(try encoder.encode(value)) + [UInt8(ascii: "\n")]
    } catch {
      preconditionFailure("\(type(of: value)) has no JSON form: \(error)")
    }
  }
}
