public import Foundation

extension RolloutDocument {
  /// The file's name in an export.
  public static let fileName = "rollouts.json"

  /// The content of `rollouts.json`.
  public func json() -> String {
    let encoder = JSONEncoder()
    encoder.keyEncodingStrategy = .convertToSnakeCase
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    do {
      return String(decoding: try encoder.encode(self), as: UTF8.self) + "\n"
    } catch {
      preconditionFailure("a document of rollouts holds nothing that JSON does not: \(error)")
    }
  }

  /// Reads a file.
  ///
  /// - Throws: ``RolloutFileError`` for one that cannot be read, is something else, or does not fit itself.
  public init(contentsOf file: URL) throws(RolloutFileError) {
    func refusal(_ problem: String) -> RolloutFileError {
      RolloutFileError(
        description: "\(file.relativePath): expected \(Self.fileName) of `pdsweep rollouts`, \(problem); make it again")
    }
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    do {
      self = try decoder.decode(Self.self, from: Data(contentsOf: file))
    } catch let error as DecodingError {
      throw refusal("found other content (\(error.place))")
    } catch {
      throw refusal("cannot read it: \(error.localizedDescription)")
    }
    guard schema == Self.schema else { throw refusal("found the schema \(schema)") }
    if let problem = contradiction { throw refusal("found \(problem)") }
  }

  /// Why parts that belong together do not fit; `nil` where they do.
  private var contradiction: String? {
    if divergenceEdges.count < 2 || zip(divergenceEdges, divergenceEdges.dropFirst()).contains(where: { $0 >= $1 }) {
      return "edges of bins that do not ascend"
    }
    for (place, window) in windows.enumerated() where window.tokens.count != window.base.count {
      return "\(window.base.count) losses of the \(window.tokens.count) tokens of window \(place)"
    }
    for edited in edits {
      guard edited.continuations.count == prompts.count else { return "an edit without all continuations" }
      guard edited.divergences.count == corpora.count,
        edited.divergences.allSatisfy({ $0.counts.count == divergenceEdges.count - 1 })
      else { return "an edit without all histograms" }
      guard edited.windows.count == windows.count,
        zip(edited.windows, windows).allSatisfy({ mine, window in
          mine.crossEntropies.count == window.tokens.count && mine.divergences.count == window.tokens.count
        })
      else { return "an edit without the losses of all tokens" }
    }
    return nil
  }
}

/// A file of rollouts cannot be used.
public struct RolloutFileError: Error, Sendable, Hashable, CustomStringConvertible, LocalizedError {
  /// One line for people.
  public let description: String

  /// The same line.
  public var errorDescription: String? { description }
}

extension DecodingError {
  /// Where the content is not what it should be.
  fileprivate var place: String {
    let context: Context? =
      switch self {
      case .typeMismatch(_, let context), .valueNotFound(_, let context), .keyNotFound(_, let context),
        .dataCorrupted(let context):
        context
      @unknown default: nil
      }
    let path = context?.codingPath.map { $0.intValue.map { "[\($0)]" } ?? $0.stringValue }.joined(separator: ".") ?? ""
    return path.isEmpty ? "at the beginning" : "at \(path)"
  }
}
