internal import ContentHash
internal import Foundation

/// Which lines of a corpus are for training, for validation and for test.
///
/// Held-out lines form contiguous blocks, so that few of them touch training text; all other lines are for training.
/// A cut stands beside its text (`de.cut.json` beside `de.txt`) and says which text it belongs to; a text without one
/// is cut in the standard way: four blocks of 1/80 of the lines, at 15 and 65 % for validation, at 40 and 90 % for
/// test.
public struct CorpusCut: Sendable, Hashable {
  /// The form of the file.
  private static let version = 1

  /// The fewest lines that the standard cut can be made of: one line a block, with training lines between.
  public static let fewestLines = 20

  /// Lines for validation, ascending and disjoint, counted from 0.
  public let validation: [Range<Int>]
  /// Lines for test, ascending and disjoint, counted from 0.
  public let test: [Range<Int>]
  /// Number of lines that the text has.
  public let lines: Int

  /// Lines for training: those between the held-out blocks.
  public var train: [Range<Int>] {
    var blocks: [Range<Int>] = []
    var start = 0
    for block in (validation + test).sorted(by: { $0.lowerBound < $1.lowerBound }) {
      if start < block.lowerBound { blocks.append(start..<block.lowerBound) }
      start = block.upperBound
    }
    if start < lines { blocks.append(start..<lines) }
    return blocks
  }

  /// The standard cut of a text of so many lines.
  init(standardFor lines: Int, of path: String) throws(InputFileError) {
    guard lines >= Self.fewestLines else {
      throw InputFileError(
        file: path,
        problem: "expected at least \(Self.fewestLines) lines to cut into train, validation and test, found \(lines)",
        advice: "bring more text, one paragraph a line")
    }
    let length = max(1, lines / 80)
    let blocks = [15, 40, 65, 90].map { percent in
      let start = lines * percent / 100
      return start..<start + length
    }
    self.lines = lines
    validation = [blocks[0], blocks[2]]
    test = [blocks[1], blocks[3]]
  }

  /// Where the cut of a text stands.
  public static func path(besideText path: String) -> String {
    URL(fileURLWithPath: path).deletingPathExtension().path + ".cut.json"
  }

  /// Reads the cut of the text at `path` and checks that it belongs to it.
  init(file: String, of path: String, holding text: [UInt8], lines: Int) throws(InputFileError) {
    let stored: Stored
    do {
      stored = try JSONDecoder().decode(Stored.self, from: Data(try readFile(file)))
    } catch let error as InputFileError {
      throw error
    } catch {
      let line = "\(error)".split(whereSeparator: \.isNewline).joined(separator: " ")
      throw InputFileError(
        file: file, problem: "expected a cut of version \(Self.version): \(line)",
        advice: "make the corpus again, or remove this file for the standard cut")
    }
    func require(
      _ holds: Bool, _ key: String, _ expected: String, _ found: some CustomStringConvertible
    ) throws(InputFileError) {
      guard holds else {
        throw InputFileError(
          file: file, place: key, problem: "expected \(expected), found \(found)",
          advice: "make the corpus again, or remove this file for the standard cut")
      }
    }
    try require(stored.version == Self.version, "version", "\(Self.version)", stored.version)
    let digest = SHA256Digest(of: text)
    try require(stored.text.sha256 == digest, "text.sha256", "\(digest), that of \(path)", stored.text.sha256)
    try require(stored.text.lines == lines, "text.lines", "\(lines), those of \(path)", stored.text.lines)
    for (key, bounds) in [("validation", stored.validation), ("test", stored.test)] {
      try require(!bounds.isEmpty, key, "blocks of lines", "none")
      for pair in bounds {
        let holds = pair.count == 2 && pair[0] >= 0 && pair[0] < pair[1] && pair[1] <= lines
        try require(holds, key, "[first, end] with 0 <= first < end <= \(lines)", pair)
      }
    }
    let blocks = (stored.validation + stored.test).map { $0[0]..<$0[1] }.sorted { $0.lowerBound < $1.lowerBound }
    for (block, next) in zip(blocks, blocks.dropFirst()) {
      try require(block.upperBound <= next.lowerBound, "validation, test", "disjoint blocks", "\(block) and \(next)")
    }
    self.lines = lines
    validation = stored.validation.map { $0[0]..<$0[1] }.sorted { $0.lowerBound < $1.lowerBound }
    test = stored.test.map { $0[0]..<$0[1] }.sorted { $0.lowerBound < $1.lowerBound }
  }

  /// Writes the cut beside its text.
  func write(besideText path: String, holding text: [UInt8]) throws(InputFileError) {
    let stored = Stored(
      version: Self.version, text: .init(sha256: SHA256Digest(of: text), lines: lines),
      validation: validation.map { [$0.lowerBound, $0.upperBound] },
      test: test.map { [$0.lowerBound, $0.upperBound] })
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys]
    do {
      try writeFile(Self.path(besideText: path), Array(try encoder.encode(stored)) + [UInt8(ascii: "\n")])
    } catch let error as InputFileError {
      throw error
    } catch {
      preconditionFailure("a cut that JSON cannot hold: \(error)")
    }
  }

  /// The file.
  private struct Stored: Codable {
    struct Text: Codable {
      let sha256: SHA256Digest
      let lines: Int
    }
    let version: Int
    let text: Text
    let validation: [[Int]]
    let test: [[Int]]
  }
}
