import Foundation
import LanguageModel
import Testing

@Suite("Building corpora")
struct CorpusBuilderTests {
  private let folder: TemporaryFolder

  init() throws {
    folder = try TemporaryFolder()
  }

  private func sentence(_ number: Int) -> String {
    "Sentence number \(number) tells of a lighthouse, of its keeper, and of the ships that pass it."
  }

  @Test("takes paragraphs of all kinds of files in the order of their paths, without repeats and short ones")
  func build() throws {
    _ = try folder.write("in/b/page.HTML", "<p>\(sentence(3))</p><p>\(sentence(1))</p><p>too short</p>")
    _ = try folder.write("in/a.txt", "\(sentence(1))\r\n\n  \(sentence(2))  \n")
    _ = try folder.write("in/c.jsonl", "{\"text\": \"\(sentence(4))\\n  \(sentence(5))\"}\n\n{\"text\": \"x\"}\n")
    _ = try folder.write("in/d.png", [0xff, 0xfe])
    let more = try folder.write("more.txt", (6..<30).map(sentence).joined(separator: "\n"))
    var builder = try CorpusBuilder()
    try builder.add(path: folder.path("in"))
    try builder.add(path: more)
    let output = folder.path("out.txt")
    try builder.write(to: output)

    let text = try String(contentsOfFile: output, encoding: .utf8)
    let expected = [sentence(1), sentence(2), sentence(3), sentence(4) + " " + sentence(5)] + (6..<30).map(sentence)
    #expect(text == expected.map { $0 + "\n" }.joined())
    #expect(builder.summary.files == 4)
    #expect(builder.summary.lines == 28)
    #expect(builder.summary.bytes == text.utf8.count)
    #expect(builder.summary.characters == text.unicodeScalars.count - 28)
    #expect(builder.summary.short == 2)
    #expect(builder.summary.repeated == 1)
    #expect(try Corpus(path: output).lines == expected)
  }

  @Test("leaves out what stands in another corpus")
  func excluding() throws {
    let english = try folder.write("en.txt", (0..<10).map(sentence).joined(separator: "\n"))
    let german = try folder.write("de.txt", (5..<40).map(sentence).joined(separator: "\n"))
    var builder = try CorpusBuilder(minimumCharacters: 0, excluding: [english])
    try builder.add(path: german)
    #expect(builder.summary.excluded == 5)
    #expect(builder.summary.lines == 30)
  }

  @Test("writes the same bytes for the same input")
  func deterministic() throws {
    for name in ["z", "a", "ä", "b/c", "B"] {
      _ = try folder.write("in/\(name).txt", (0..<8).map { sentence($0) + name }.joined(separator: "\n"))
    }
    var outputs: [Data] = []
    for output in ["1.txt", "2.txt"] {
      var builder = try CorpusBuilder()
      try builder.add(path: folder.path("in"))
      try builder.write(to: folder.path(output))
      outputs.append(try Data(contentsOf: URL(fileURLWithPath: folder.path(output))))
    }
    #expect(outputs[0] == outputs[1])
    #expect(String(decoding: outputs[0], as: UTF8.self).hasPrefix(sentence(0) + "B\n"))
  }

  @Test("says what it cannot read, and writes nothing then")
  func refusals() throws {
    _ = try folder.write("bad/page.html", [0x3c, 0x70, 0x3e, 0xff])
    _ = try folder.write("empty/readme.md", "x")
    let other = try folder.write("x.pdf", "x")
    let refusals = [
      (folder.path("none"), "found nothing"), (folder.path("empty"), "found none"),
      (folder.path("bad"), "expected UTF-8 text"), (other, "found another one"),
    ]
    for (path, reason) in refusals {
      var builder = try CorpusBuilder()
      let error = try #require(throws: InputFileError.self) { try builder.add(path: path) }
      #expect(error.description.contains(reason))
    }
    var builder = try CorpusBuilder()
    try builder.add(path: try folder.write("few.txt", (0..<19).map(sentence).joined(separator: "\n")))
    let error = try #require(throws: InputFileError.self) { try builder.write(to: folder.path("out.txt")) }
    #expect(error.problem.contains("at least 20 lines"))
    #expect(!FileManager.default.fileExists(atPath: folder.path("out.txt")))
  }
}
