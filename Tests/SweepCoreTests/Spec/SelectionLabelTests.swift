import ContentHash
import Foundation
import SweepCore
import Testing

@Suite("Labels from elsewhere")
struct SelectionLabelTests {
  private static let harvest = MadeUpHarvest([
    ("german", ["german": 6, "english": 1, "french": 1]), ("german", ["german": 4, "english": 1, "french": 1]),
    ("all languages", ["german": 1, "english": 1, "french": 1]), ("french", ["german": 1, "english": 1, "french": 5]),
  ])

  /// A sweep that selects by a file of labels.
  private static func folder(_ csv: [UInt8], select: String) throws -> SelectionFolder {
    let folder = try SelectionFolder(["{select: labelled, labels: labels.csv, \(select)}"], harvest: harvest)
    try folder.folder.write(csv, to: "labels.csv")
    return folder
  }

  private static func line(_ csv: String) throws -> String {
    let folder = try folder(Array(csv.utf8), select: "label: nouns, count: 1")
    defer { folder.remove() }
    return folder.refusal()
  }

  @Test("are selected on in place of the harvest's, whatever RFC 4180 allows")
  func spellings() throws {
    let csv = [
      "subcomponent,label\nh.0.mlp.c_fc:3,\"nouns, \"\"capital\"\"\"\nh.0.mlp.c_fc:1,\"nouns, \"\"capital\"\"\"\n",
      "\u{FEFF}subcomponent,label\r\n\"h.0.mlp.c_fc:3\",\"nouns, \"\"capital\"\"\"\r\nh.0.mlp.c_fc:1,\"nouns, \"\"capital\"\"\"",
      "\"subcomponent\",\"label\"\nh.0.mlp.c_fc:0,german\nh.0.mlp.c_fc:1,\"nouns, \"\"capital\"\"\"\n"
        + "h.0.mlp.c_fc:2,\"of two\nlines\"\nh.0.mlp.c_fc:3,\"nouns, \"\"capital\"\"\"\n",
    ]
    for text in csv {
      let label = "label: 'nouns, \"capital\"'"
      let own = try Self.folder(Array(text.utf8), select: "\(label), count: 2")
      let german = try Self.folder(Array(text.utf8), select: "\(label), corpus: german, count: 2")
      defer { [own, german].forEach { $0.remove() } }
      let sweep = try own.resolve()
      // The French one is 5 times as strong in its own language, the German one 4 times.
      #expect(sweep.scaled(by: "m0") == ["h.0.mlp.c_fc:3", "h.0.mlp.c_fc:1"])
      #expect(try german.resolve().scaled(by: "m0") == ["h.0.mlp.c_fc:1", "h.0.mlp.c_fc:3"])
      let selection = try #require(sweep.selections.first)
      #expect(selection.label == "nouns, \"capital\"" && selection.labels == SHA256Digest(of: text))
      #expect(selection.subcomponents.map(\.label) == ["nouns, \"capital\"", "nouns, \"capital\""])
      #expect(sweep.files.ofSelections.map(\.role).last == "labels:labels.csv")
    }
  }

  @Test("may be of many lines, and of scripts of all kinds")
  func many() throws {
    let lines = (0..<4).map { "h.0.mlp.c_fc:\($0),名詞 \($0 % 2) é\u{301}\n" }.joined()
    let folder = try Self.folder(
      Array(("subcomponent,label\n" + lines).utf8), select: "label: \"名詞 1 é\u{301}\", count: 2")
    defer { folder.remove() }
    #expect(try folder.resolve().scaled(by: "m0") == ["h.0.mlp.c_fc:3", "h.0.mlp.c_fc:1"])
  }

  @Test(
    "are refused with file and line",
    arguments: [
      ("", "an empty one", ""),
      ("\n", ":1:1: expected the header subcomponent,label", ""),
      ("h.0.mlp.c_fc:3,nouns\n", ":1:1: expected the header subcomponent,label", ""),
      ("subcomponent;label\n", ":1:1: expected the header", ""),
      ("subcomponent,label,score\n", ":1:1: expected the header", ""),
      ("subcomponent,label\nh.0.mlp.c_fc:3\n", ":2:1: expected two fields, a subcomponent and its label, found 1", ""),
      ("subcomponent,label\nh.0.mlp.c_fc:3,nouns, capital\n", ":2:1: expected two fields", "double quotes"),
      ("subcomponent,label\n\nh.0.mlp.c_fc:3,nouns\n", ":2:1: expected two fields", "leave no line empty"),
      ("subcomponent,label\nh.0.mlp.cfc:3,nouns\n", ":2:1: expected a subcomponent", "found h.0.mlp.cfc:3"),
      ("subcomponent,label\n h.0.mlp.c_fc:3,nouns\n", ":2:1: expected a subcomponent", ""),
      ("subcomponent,label\nh.0.mlp.c_fc:03,nouns\n", "found h.0.mlp.c_fc:03", ""),
      ("subcomponent,label\n,nouns\n", "found nothing", ""),
      ("subcomponent,label\nh.0.mlp.c_fc:3,\n", ":2:16: expected a label, found nothing", ""),
      ("subcomponent,label\nh.0.mlp.c_fc:3,\"\"\n", ":2:16: expected a label, found nothing", ""),
      ("subcomponent,label\nh.0.mlp.c_fc:3,a\nh.0.mlp.c_fc:3,a\n", ":3:1: expected each subcomponent once", ""),
      ("subcomponent,label\nh.0.mlp.c_fc:3,\"a\nb\"\nh.0.mlp.c_fc:4,c\n", ":4:1: expected a subcomponent of", ""),
      ("subcomponent,label\nh.0.mlp.c_fc:3,\"nouns\n", ":2:16: expected comma-separated values", "not closed"),
      ("subcomponent,label\nh.0.mlp.c_fc:3,\"nouns\"x\n", "labels.csv:2:", "text behind a closing quote"),
      ("subcomponent,label\nh.0.mlp.c_fc:3,no\"uns\n", ":2:18: expected comma-separated values", "a quote within"),
      ("subcomponent,label\rh.0.mlp.c_fc:3,nouns\r", "a carriage return without a line feed", ""),
      ("subcomponent,label\nh.0.mlp.c_fc:9,nouns\n", ":2:1: expected a subcomponent of decomposition.safetensors", ""),
      ("subcomponent,label\nh.0.mlp.c_fc:3,verbs\n", "expected a subcomponent labelled \"nouns\", found none", ""),
      ("subcomponent,label\n", "labelled \"nouns\", found none", ""),
    ] as [(String, String, String)])
  func refusals(csv: String, says: String, also: String) throws {
    let line = try Self.line(csv)
    #expect(line.contains(says) && (also.isEmpty || line.contains(also)) && line.contains("; "), "\(line)")
    #expect(line.unicodeScalars.allSatisfy { $0.properties.generalCategory != .control }, "\(line)")
  }

  @Test("are refused where they are no text, or are not there")
  func files() throws {
    let folder = try Self.folder([0x73, 0xFF], select: "label: nouns, count: 1")
    defer { folder.remove() }
    #expect(folder.refusal().contains("labels.csv: expected UTF-8 text"))
    try folder.folder.delete("labels.csv")
    let line = folder.refusal()
    #expect(line.contains("methods.m0.subcomponents.labels: expected a file, found no file at"), "\(line)")
  }
}
