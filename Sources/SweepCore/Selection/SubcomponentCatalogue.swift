internal import ContentHash
internal import Foundation
internal import SettingsFiles

/// What a harvest says of the subcomponents of a decomposition, as far as selections need it.
struct SubcomponentCatalogue {
  /// A subcomponent. Numbers are by language, in the order of ``languages``.
  struct Entry {
    let path: SubcomponentPath
    let label: String
    /// Root mean square activation, none below zero.
    let strengths: [Double]
    /// Mean causal importance, from 0 to 1; `nil` where the decomposition has no importance function.
    let importances: [Double]?
    /// Gradient with respect to the prefactor, nats.
    let attributions: [Double]
  }

  /// What `pdsweep harvest` calls the file beside a decomposition.
  static func fileName(ofDecomposition name: String) -> String {
    URL(fileURLWithPath: name).deletingPathExtension().relativePath + ".harvest.json"
  }

  /// The digests of the files that the harvest was made of, by what they are for.
  let inputs: [String: SHA256Digest]
  /// The languages: two at least.
  let languages: [String]
  /// The subcomponents by site in the model's order, and by index.
  let entries: [Entry]

  /// Reads a harvest as `pdsweep harvest` writes it.
  ///
  /// - Throws: the first thing that is wrong with it.
  init(json: [UInt8], file: String) throws(SettingsError) {
    func refusal(_ place: String, _ problem: String) -> SettingsError {
      SettingsError(
        file: file, position: nil, keyPath: place, problem: problem, advice: "make it again with `pdsweep harvest`")
    }
    let document: Document
    do {
      document = try JSONDecoder().decode(Document.self, from: Data(json))
    } catch {
      throw refusal(
        (error as? DecodingError)?.place ?? "",
        "expected a harvest as `pdsweep harvest` writes it, found something else")
    }
    let languages = document.provenance.languages
    guard languages.count > 1, Set(languages).count == languages.count else {
      throw refusal("provenance.languages", "expected two languages at least, each once, found \(languages.count)")
    }
    var entries: [Entry] = []
    var known: Set<SubcomponentPath> = []
    for (place, part) in document.subcomponents.enumerated() {
      let keyPath = "subcomponents[\(place)]"
      guard let path = SubcomponentPath("\(part.site):\(part.index)") else {
        throw refusal(
          keyPath, "expected a subcomponent, found \(SettingsError.onOneLine(part.site, limit: 60)):\(part.index)")
      }
      guard known.insert(path).inserted else {
        throw refusal(keyPath, "expected each subcomponent once, found \(path) again")
      }
      func numbers(_ values: [String: Double], _ name: String, from least: Double) throws(SettingsError) -> [Double] {
        let numbers = languages.compactMap { values[$0] }
        guard numbers.count == languages.count, numbers.allSatisfy({ $0 >= least }) else {
          throw refusal("\(keyPath).\(name)", "expected a number for each of the \(languages.count) languages")
        }
        return numbers
      }
      entries.append(
        Entry(
          path: path, label: part.label, strengths: try numbers(part.strength, "strength", from: 0),
          importances: try part.importance.map { values throws(SettingsError) in
            try numbers(values, "importance", from: 0)
          },
          attributions: try numbers(part.attribution, "attribution", from: -.infinity)))
    }
    guard Set(entries.map { $0.importances == nil }).count < 2 else {
      throw refusal("subcomponents", "expected an importance of all or of none, found it of some")
    }
    inputs = document.provenance.inputs
    self.languages = languages
    self.entries = entries.sorted { ($0.path.site, $0.path.index) < ($1.path.site, $1.path.index) }
  }

  private struct Document: Decodable {
    struct Provenance: Decodable {
      let inputs: [String: SHA256Digest]
      let languages: [String]
    }

    struct Subcomponent: Decodable {
      let site: String
      let index: Int
      let label: String
      let strength: [String: Double]
      let importance: [String: Double]?
      let attribution: [String: Double]
    }

    let provenance: Provenance
    let subcomponents: [Subcomponent]
  }
}

extension DecodingError {
  /// The keys that lead to the value that could not be read.
  fileprivate var place: String {
    let context: Context
    switch self {
    case .typeMismatch(_, let found), .valueNotFound(_, let found), .keyNotFound(_, let found),
      .dataCorrupted(let found):
      context = found
    @unknown default: return ""
    }
    return context.codingPath.reduce("") { path, key in
      if let index = key.intValue { return "\(path)[\(index)]" }
      let name = SettingsError.onOneLine(key.stringValue, limit: 60)
      return path.isEmpty ? name : "\(path).\(name)"
    }
  }
}
