internal import ContentHash
internal import Foundation
internal import LanguageModel
internal import ParameterDecomposition
internal import SettingsFiles

/// A decomposition of a target that is looked into.
struct InspectedDecomposition {
  /// The target's folder.
  let folder: URL
  /// The file, as it is named within the folder.
  let name: String
  let path: String
  let decomposition: Decomposition

  /// Finds a decomposition.
  ///
  /// - Parameters:
  ///   - folder: the target's folder.
  ///   - name: the decomposition file, in the folder; the first by name if `nil`.
  /// - Throws: if there is none, or it does not fit the model.
  init(in folder: URL, name: String?) throws {
    self.folder = folder
    if let name {
      self.name = name
    } else {
      guard let first = try TargetSummary.decompositions(in: folder).first else {
        throw InputFileError(
          file: folder.path, problem: "expected a decomposition in the target's folder, found none",
          advice: "make one with `pdsweep decompose`")
      }
      self.name = first
    }
    path = URL(fileURLWithPath: self.name, relativeTo: folder).path
    decomposition = try Decomposition(
      path: path, configuration: ModelConfiguration(file: folder.appendingPathComponent("model_config.yaml").path))
  }

  /// The site that a name is of, and the index within it if the name is a subcomponent's.
  ///
  /// - Throws: if the decomposition has no such part.
  func part(named text: String) throws -> (site: Site, index: Int?) {
    let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
    let known = decomposition.sites.map { "\($0.site)" }
    guard let site = Site(String(parts[0])), let factors = decomposition[site] else {
      let meant = NearestName.suggestion(for: String(parts[0]), among: known).map { "did you mean \($0)?" }
      throw InputFileError(
        file: path, problem: "expected a site that it decomposes, or a subcomponent of one, found \(text.printable)",
        advice: meant ?? "decomposed there: \(known.joined(separator: ", "))")
    }
    guard parts.count > 1 else { return (site, nil) }
    guard let name = SubcomponentName(text), name.index < factors.count else {
      throw InputFileError(
        file: path, problem: "expected one of the \(factors.count) subcomponents of \(site), found \(text.printable)",
        advice: "choose an index from 0 to \(factors.count - 1)")
    }
    return (site, name.index)
  }

  /// What `pdsweep harvest` found of a site.
  ///
  /// - Throws: if there is no harvest, or one of another decomposition.
  func harvested(_ site: Site) throws -> Findings {
    let harvest = try harvest()
    return Findings(
      source: .harvest, languages: harvest.provenance.languages, tokens: harvest.provenance.tokens,
      subcomponents: harvest.subcomponents.filter { $0.site == "\(site)" })
  }

  /// The harvest beside the decomposition.
  ///
  /// - Throws: if there is none, or one of another decomposition.
  func harvest() throws -> HarvestRecord {
    let place = HarvestRecord.path(beside: path)
    guard FileManager.default.fileExists(atPath: place) else {
      throw InputFileError(
        file: place, problem: "expected what the subcomponents do, found no file",
        advice: "make it with `pdsweep harvest`, or give text with --corpus NAME=FILE")
    }
    let harvest = try HarvestRecord(path: place)
    let digest = try SHA256Digest(ofFile: URL(fileURLWithPath: path))
    guard harvest.provenance.inputs["decomposition"] == digest else {
      throw InputFileError(
        file: place, problem: "expected a harvest of \(path), found one of another decomposition",
        advice: "make it again with `pdsweep harvest`, or give text with --corpus NAME=FILE")
    }
    return harvest
  }
}

/// What is known of the subcomponents of a site.
struct Findings {
  /// Where it is from.
  enum Source: String, Encodable {
    /// The harvest beside the decomposition.
    case harvest
    /// Text that was given.
    case text
  }

  let source: Source
  /// The languages, in the order in which they were given.
  let languages: [String]
  /// Tokens of each.
  let tokens: Int
  /// The site's subcomponents, by index.
  let subcomponents: [SubcomponentHarvest]

  /// Whether there are languages to compare, so that labels and selectivities mean something.
  var compares: Bool { languages.count > 1 }
}
