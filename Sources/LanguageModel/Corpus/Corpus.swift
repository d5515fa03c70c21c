internal import Foundation

/// Text in one language, cut into training, validation and test lines.
public struct Corpus: Sendable {
  /// A part of a corpus.
  public enum Split: String, Sendable, Hashable, CaseIterable {
    /// Fine-tunes are trained on it.
    case train
    /// Choices are made on it.
    case validation
    /// Reported.
    case test
  }

  /// The path as it was given.
  public let path: String
  /// The lines: the paragraphs of the file, without those that are empty.
  public let lines: [String]
  /// Which lines are for what.
  public let cut: CorpusCut

  /// Reads a corpus and the cut beside it; a corpus without one is cut in the standard way.
  public init(path: String) throws(InputFileError) {
    let cut = CorpusCut.path(besideText: path)
    try self.init(path: path, name: path, cut: FileManager.default.fileExists(atPath: cut) ? cut : nil)
  }

  /// Reads a corpus whose files stand anywhere.
  ///
  /// - Parameters:
  ///   - path: Where the text is.
  ///   - name: The text's own name, which says whether it is JSONL.
  ///   - cut: Where its cut is; `nil` where it is to be cut in the standard way.
  public init(path: String, name: String, cut: String?) throws(InputFileError) {
    let bytes = try readFile(path)
    let lines = try CorpusText(path: path, name: name, bytes: bytes).lines
    guard !lines.isEmpty else {
      throw InputFileError(file: path, problem: "expected lines of text, found none", advice: "check that it is text")
    }
    self.path = path
    self.lines = lines
    if let cut {
      self.cut = try CorpusCut(file: cut, of: path, holding: bytes, lines: lines.count)
    } else {
      self.cut = try CorpusCut(standardFor: lines.count, of: path)
    }
  }

  /// The blocks of lines of a part.
  public func blocks(of split: Split) -> [Range<Int>] {
    switch split {
    case .train: cut.train
    case .validation: cut.validation
    case .test: cut.test
    }
  }

  /// Lines as one text, as windows see them.
  public func text(of lines: Range<Int>) -> String {
    self.lines[lines].joined(separator: "\n")
  }
}
