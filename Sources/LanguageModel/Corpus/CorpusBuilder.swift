internal import Foundation

/// Gathers paragraphs from files into a corpus: one paragraph a line, no line twice.
public struct CorpusBuilder {
  /// What a corpus came to.
  public struct Summary: Sendable, Hashable {
    /// Files read.
    public var files = 0
    /// Lines kept.
    public var lines = 0
    /// UTF-8 bytes of the lines, line ends included.
    public var bytes = 0
    /// Unicode scalars of the lines, line ends not included.
    public var characters = 0
    /// Paragraphs dropped because they were too short.
    public var short = 0
    /// Paragraphs dropped because an earlier line was equal.
    public var repeated = 0
    /// Paragraphs dropped because they stand in an excluded corpus.
    public var excluded = 0
  }

  /// File name extensions that are read, in lower case, by what they hold.
  private enum Format: String {
    case html, htm, xhtml, txt, text, jsonl, ndjson
  }

  /// What has been gathered so far.
  public private(set) var summary = Summary()

  private let minimumCharacters: Int
  private let excludedLines: Set<String>
  private var lines: [String] = []
  private var seen: Set<String> = []

  /// Creates an empty builder.
  ///
  /// - Parameters:
  ///   - minimumCharacters: Shorter paragraphs (in Unicode scalars) are dropped: titles, menu entries, table cells.
  ///   - excludedCorpora: Corpora whose lines are dropped, such as the one in the language that untranslated
  ///     paragraphs are in.
  public init(minimumCharacters: Int = 60, excluding excludedCorpora: [String] = []) throws(InputFileError) {
    self.minimumCharacters = minimumCharacters
    var excluded: Set<String> = []
    for path in excludedCorpora { excluded.formUnion(try CorpusText(path: path).lines) }
    excludedLines = excluded
  }

  /// Adds a file (HTML, text or JSONL by its extension), or all such files of a folder in the order of their paths.
  public mutating func add(path: String) throws(InputFileError) {
    guard let kind = try? URL(fileURLWithPath: path).resourceValues(forKeys: [.isDirectoryKey]) else {
      throw InputFileError(file: path, problem: "expected a file or a folder, found nothing", advice: "check the path")
    }
    guard kind.isDirectory ?? false else { return try add(file: path) }
    let files = try Self.files(in: path)
    guard !files.isEmpty else {
      throw InputFileError(file: path, problem: "expected files ending in .html, .txt or .jsonl, found none")
    }
    for file in files { try add(file: file) }
  }

  /// Writes the corpus with its standard cut beside it; see ``CorpusCut``. Both replace older ones only when they are
  /// complete, the text first, so that an interruption leaves a cut that is known not to fit rather than a wrong one.
  public func write(to path: String) throws(InputFileError) {
    let text = Array((lines.joined(separator: "\n") + "\n").utf8)
    let cut = try CorpusCut(standardFor: lines.count, of: path)
    try writeFile(path, text)
    try cut.write(besideText: path, holding: text)
  }

  private mutating func add(file path: String) throws(InputFileError) {
    let paragraphs: [String]
    switch Format(rawValue: URL(fileURLWithPath: path).pathExtension.lowercased()) {
    case .html, .htm, .xhtml:
      let page = try readFile(path)
      guard String(validating: page, as: UTF8.self) != nil else { throw CorpusText.notUTF8(path) }
      paragraphs = HTMLText.paragraphs(of: page)
    case .txt, .text, .jsonl, .ndjson:
      paragraphs = try CorpusText(path: path).lines
    case nil:
      throw InputFileError(file: path, problem: "expected a name ending in .html, .txt or .jsonl, found another one")
    }
    summary.files += 1
    for paragraph in paragraphs { add(paragraph: paragraph) }
  }

  private mutating func add(paragraph: String) {
    let line = paragraph.split(whereSeparator: \.isWhitespace).joined(separator: " ")
    let characters = line.unicodeScalars.count
    if characters < minimumCharacters {
      summary.short += 1
    } else if excludedLines.contains(line) {
      summary.excluded += 1
    } else if !seen.insert(line).inserted {
      summary.repeated += 1
    } else {
      lines.append(line)
      summary.lines += 1
      summary.bytes += line.utf8.count + 1
      summary.characters += characters
    }
  }

  /// All files to be read below a folder, ordered by their paths' bytes. Hidden ones are passed over.
  private static func files(in folder: String) throws(InputFileError) -> [String] {
    let url = URL(fileURLWithPath: folder)
    guard
      let found = FileManager.default.enumerator(
        at: url, includingPropertiesForKeys: nil, options: .skipsHiddenFiles)
    else { throw InputFileError(file: folder, problem: "cannot list the folder", advice: "check its permissions") }
    return found.compactMap { ($0 as? URL)?.path }
      .filter { Format(rawValue: URL(fileURLWithPath: $0).pathExtension.lowercased()) != nil }
      .sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
  }
}
