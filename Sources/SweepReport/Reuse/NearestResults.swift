internal import SweepCore

/// Finds, among specifications that have results, the one that differs in the fewest parts from another.
///
/// A difference in one part is found exactly, whatever the number of results; so is the fewest of several among
/// results for the same point of a grid. For others a sample is looked at: nobody reads a long list of differences.
struct NearestResults {
  /// A part in which a specification differs from its nearest result.
  struct Difference {
    let path: String
    let isFile: Bool
    /// What is wanted; `nil` where the result has a part that is not wanted.
    let wanted: String?
    /// Whether the result has another value there.
    let isThere: Bool

    /// The difference in words.
    var text: String {
      guard let wanted else { return "\(path): no result without it" }
      guard isFile else { return "\(path): no result with \(wanted)" }
      return isThere ? "\(path) changed" : "\(path): no result with it"
    }
  }

  private struct Missing: Hashable {
    let path: String
    let rest: Int
  }

  private static let sampleSize = 64

  private var results: [[SpecificationField]] = []
  /// The first result with these parts but for one.
  private var allButOne: [Missing: Int] = [:]
  /// Results for the same point of a grid, whatever the files and the evaluation.
  private var samePoint: [Int: [Int]] = [:]

  init(_ known: [KnownSpecification]) {
    for entry in known {
      guard case .completed = entry.standing else { continue }
      let fields = SpecificationField.all(of: entry.specification)
      let sum = fields.reduce(0) { $0 ^ $1.hashValue }
      for field in fields {
        let key = Missing(path: field.path, rest: sum ^ field.hashValue)
        if allButOne[key] == nil { allButOne[key] = results.count }
      }
      samePoint[Self.point(fields), default: []].append(results.count)
      results.append(fields)
    }
  }

  /// In what a specification differs from the nearest result; `nil` if there is none that edits in the same way.
  func differences(from specification: CellSpecification) -> [Difference]? {
    let wanted = SpecificationField.all(of: specification)
    let sum = wanted.reduce(0) { $0 ^ $1.hashValue }
    for field in wanted {
      guard let place = allButOne[Missing(path: field.path, rest: sum ^ field.hashValue)] else { continue }
      return Self.differences(of: wanted, from: results[place])
    }
    let same = samePoint[Self.point(wanted)] ?? []
    let candidates = (same.isEmpty ? sample : Array(same.prefix(Self.sampleSize))).filter { place in
      results[place].first { $0.path == "edit" } == wanted.first { $0.path == "edit" }
    }
    return candidates.map { Self.differences(of: wanted, from: results[$0]) }.min { $0.count < $1.count }
  }

  /// Results taken evenly from all.
  private var sample: [Int] {
    let stride = max(1, results.count / Self.sampleSize)
    return Array(Swift.stride(from: 0, to: results.count, by: stride).prefix(Self.sampleSize))
  }

  /// What a grid and an edit say, without what surrounds them.
  private static func point(_ fields: [SpecificationField]) -> Int {
    fields.reduce(0) { sum, field in
      let surrounds = field.isFile || field.path.hasPrefix("evaluation.") || field.path == "corpora.start"
      return surrounds || field.path == "the engine's revision" ? sum : sum ^ field.hashValue
    }
  }

  private static func differences(of wanted: [SpecificationField], from found: [SpecificationField]) -> [Difference] {
    let has = Set(found)
    let (paths, known) = (Set(wanted.map(\.path)), Set(found.map(\.path)))
    return wanted.filter { !has.contains($0) }.map {
      Difference(path: $0.path, isFile: $0.isFile, wanted: $0.value, isThere: known.contains($0.path))
    }
      + found.filter { !paths.contains($0.path) }.map {
        Difference(path: $0.path, isFile: $0.isFile, wanted: nil, isThere: true)
      }
  }
}
