import ContentHash
import Foundation
import SweepCore
import TestSupport
import Testing

@Suite("A selection of subcomponents")
struct SelectionTests {
  /// The chosen ones by counting, for each candidate, how many go before it.
  private static func expected(
    _ entries: [MadeUpHarvest.Entry], count: Int, by value: (MadeUpHarvest.Entry) -> Double
  ) -> [String] {
    func isBefore(_ left: MadeUpHarvest.Entry, _ right: MadeUpHarvest.Entry) -> Bool {
      if value(left) != value(right) { return value(left) > value(right) }
      if left.site != right.site { return left.site < right.site }
      return left.index < right.index
    }
    var places = [String?](repeating: nil, count: entries.count)
    for entry in entries { places[entries.count { isBefore($0, entry) }] = "\(entry.path)" }
    return places.prefix(count).compactMap(\.self)
  }

  private static func ratio(_ entry: MadeUpHarvest.Entry, _ corpus: String) -> Double {
    let own = entry.strength[corpus] ?? 0
    let next = entry.strength.filter { $0.key != corpus }.map(\.value).max() ?? 0
    return own == 0 ? 0 : next == 0 ? .greatestFiniteMagnitude : own / next
  }

  @Test("is what counting comes to, whatever the order of the harvest's lines", arguments: 0..<24 as Range<UInt64>)
  func bruteForce(seed: UInt64) throws {
    var generator = SeededGenerator(seed: 100 + seed)
    var harvest = MadeUpHarvest(seed: seed, hasImportance: seed.isMultiple(of: 2))
    let corpus = MadeUpHarvest.languages.randomElement(using: &generator) ?? ""
    let sites =
      seed.isMultiple(of: 3) ? MadeUpHarvest.sites : Array(MadeUpHarvest.sites.shuffled(using: &generator).prefix(2))
    let candidates = harvest.entries.filter { sites.contains($0.site) }
    let importance = { (entry: MadeUpHarvest.Entry) in
      entry.importance?[corpus] ?? abs(entry.attribution[corpus] ?? 0)
    }
    let selective = { (entry: MadeUpHarvest.Entry) in Self.ratio(entry, corpus) }
    let own = { (entry: MadeUpHarvest.Entry) in
      MadeUpHarvest.languages.map { Self.ratio(entry, $0) }.max() ?? 0
    }
    let rules: [(rule: String, found: [MadeUpHarvest.Entry], value: (MadeUpHarvest.Entry) -> Double)] = [
      ("select: most-important, corpus: \(corpus)", candidates.filter { importance($0) > 0 }, importance),
      ("select: most-selective, corpus: \(corpus)", candidates.filter { selective($0) > 0 }, selective),
      ("select: labelled, label: french, corpus: \(corpus)", candidates.filter { $0.label == "french" }, selective),
      ("select: labelled, corpus: \(corpus)", candidates.filter { $0.label == corpus }, selective),
      ("select: labelled, label: all languages", candidates.filter { $0.label == "all languages" }, own),
    ]
    let list = seed.isMultiple(of: 3) ? "" : ", sites: [\(sites.map(\.description).joined(separator: ", "))]"
    for (rule, found, value) in rules where !found.isEmpty {
      let count = Int.random(in: 1...found.count, using: &generator)
      harvest.entries.shuffle(using: &generator)
      let folder = try SelectionFolder(["{\(rule), count: \(count)\(list)}"], harvest: harvest)
      defer { folder.remove() }
      let sweep = try folder.resolve()
      #expect(sweep.scaled(by: "m0") == Self.expected(found, count: count, by: value), "seed \(seed), \(rule)")
      let selection = try #require(sweep.selections.first)
      #expect(selection.subcomponents.map { "\($0.subcomponent)" } == sweep.scaled(by: "m0"))
      for member in selection.subcomponents {
        let entry = try #require(harvest.entries.first { $0.path == member.subcomponent })
        #expect(member.label == entry.label && member.value == value(entry), "seed \(seed), \(rule)")
      }
    }
  }

  @Test("says what it was made from and what it was ordered by")
  func provenance() throws {
    for hasImportance in [true, false] {
      let harvest = MadeUpHarvest(seed: 5, hasImportance: hasImportance)
      let rules = [
        "{select: most-important, corpus: german, count: 2}", "{select: most-selective, corpus: german, count: 1}",
      ]
      let others = "  scan: {edit: prefactors, subcomponents: \(rules[1]), scan: {alpha: [0, 2]}}\n"
      let folder = try SelectionFolder(rules, others: others, harvest: harvest)
      defer { folder.remove() }
      let sweep = try folder.resolve()
      #expect(sweep.selections.map(\.measure) == [hasImportance ? .importance : .attribution, .selectivity])
      #expect(sweep.selections.map(\.methods) == [["m0"], ["m1", "scan"]])
      #expect(sweep.selections.map(\.select) == ["most-important", "most-selective"])
      let digest = SHA256Digest(
        of: try String(contentsOfFile: folder.folder.path("small/decomposition.harvest.json"), encoding: .utf8))
      #expect(sweep.selections.allSatisfy { $0.harvest == digest && $0.corpus == "german" && $0.labels == nil })
      #expect(sweep.files.ofSelections.map(\.role) == ["harvest:decomposition.safetensors"])
      #expect(!sweep.files.all.contains { $0.role.hasPrefix("harvest") })
    }
  }

  @Test("names subcomponents, so that only another outcome makes another sweep")
  func identity() throws {
    var harvest = MadeUpHarvest([
      ("german", ["german": 4, "english": 1, "french": 1]), ("german", ["german": 3, "english": 1, "french": 1]),
    ])
    let rule = "{select: most-selective, corpus: german, count: 1}"
    let chosen = try SelectionFolder([rule], harvest: harvest)
    let named = try SelectionFolder(["[\"h.0.mlp.c_fc:0\"]"], harvest: nil)
    defer { [chosen, named].forEach { $0.remove() } }
    let first = try chosen.resolve()
    #expect(try first.digest == named.resolve().digest)

    harvest.entries[1].strength["german"] = 3.5
    try chosen.folder.write(try harvest.json, to: "small/decomposition.harvest.json")
    let same = try chosen.resolve()
    #expect(same.digest == first.digest && same.selections != first.selections)

    harvest.entries[1].strength["german"] = 5
    try chosen.folder.write(try harvest.json, to: "small/decomposition.harvest.json")
    let other = try chosen.resolve()
    #expect(other.scaled(by: "m0") == ["h.0.mlp.c_fc:1"] && other.digest != first.digest)
  }

  @Test("gives the sites of a localised LoRA: the method's own, else the first prefactors method's")
  func localised() throws {
    let harvest = MadeUpHarvest(seed: 1, hasImportance: false)
    let rest = "rank: 1, sites: of-selected"
    let folder = try SelectionFolder(
      ["{select: most-important, corpus: german, count: 3}"],
      others: """
          inherits: {edit: lora, \(rest)}
          owns: {edit: lora, \(rest), subcomponents: {select: most-selective, corpus: french, count: 2}}
          elsewhere: {edit: lora, \(rest), decomposition: other.safetensors, subcomponents: {select: most-selective, corpus: french, count: 1}}

        """, harvest: harvest)
    defer { folder.remove() }
    var other = MadeUpHarvest([("french", ["german": 1, "english": 1, "french": 3])])
    other.decomposition = SHA256Digest(of: "another")
    try folder.folder.write(try other.json, to: "small/other.harvest.json")
    let sweep = try folder.resolve()
    func sites(_ names: [String]) -> [String] {
      Set(names.compactMap { SubcomponentPath($0)?.site }).sorted().map(\.description)
    }
    let important = Self.expected(harvest.entries, count: 3) { abs($0.attribution["german"] ?? 0) }
    let selective = Self.expected(harvest.entries, count: 2) { Self.ratio($0, "french") }
    #expect(sweep.adapted(by: "inherits") == sites(important))
    #expect(sweep.adapted(by: "owns") == sites(selective))
    #expect(sweep.adapted(by: "elsewhere") == ["h.0.mlp.c_fc"])
    #expect(sweep.selections.map(\.methods) == [["m0", "inherits"], ["owns"], ["elsewhere"]])
    // Its cells name no subcomponents, and so no decomposition.
    let lora = try #require(sweep.cells.first { $0.method == "owns" })
    #expect(lora.specification.target.decomposition == nil)
  }

  @Test("is refused in one line that says what to do")
  func refusals() throws {
    let rule = "{select: most-selective, corpus: german, count: 2}"
    let sound = MadeUpHarvest([
      ("german", ["german": 4, "english": 1, "french": 0]), ("french", ["german": 0, "english": 0, "french": 2]),
    ])
    func line(_ rule: String, _ harvest: MadeUpHarvest?) throws -> String {
      let folder = try SelectionFolder([rule], harvest: harvest)
      defer { folder.remove() }
      return folder.refusal()
    }
    func expect(_ line: String, _ fragments: String..., sourceLocation: SourceLocation = #_sourceLocation) {
      for fragment in fragments + ["methods.m0.subcomponents"] {
        #expect(line.contains(fragment), "\(line)", sourceLocation: sourceLocation)
      }
      #expect(!line.contains("\n"), sourceLocation: sourceLocation)
    }
    expect(try line(rule, nil), "no file at", "decomposition.harvest.json", "make it with `pdsweep harvest`")
    expect(try line(rule, sound), "expected 2 subcomponents of some strength in german, found 1", "lower count to 1")
    expect(
      try line("{select: labelled, corpus: german, count: 2}", sound), "2 subcomponents labelled \"german\", found 1")
    expect(
      try line("{select: labelled, label: germn, count: 1}", sound), "found none", "did you mean \"german\"?")
    expect(
      try line("{select: labelled, label: nouns, count: 1}", sound), "labelled \"nouns\", found none", "pdsweep inspect"
    )
    expect(
      try line("{select: most-important, corpus: spanish, count: 1}", sound),
      "corpus: expected a language of the harvest (english, german, french), found spanish",
      "harvest again with --corpus spanish=FILE")
    expect(
      try line("{select: most-important, corpus: german, count: 1, sites: [h.3.mlp.c_fc]}", sound),
      "sites: expected sites of the harvest, found h.3.mlp.c_fc", "harvested: h.0.mlp.c_fc")
    expect(
      try line("{select: most-important, corpus: german, count: 3, sites: [h.0.mlp.c_fc]}", sound),
      "at the sites named, found 1", "name more sites")
    var foreign = sound
    foreign.decomposition = SHA256Digest(of: "another")
    expect(
      try line(rule, foreign), "expected a harvest of", "small/decomposition.safetensors", "one of other decomposition",
      "make it again with `pdsweep harvest`")
    foreign = sound
    foreign.weights = SHA256Digest(of: "another")
    expect(try line(rule, foreign), "small/model.safetensors", "one of other weights")
  }

  @Test("is refused where its harvest is damaged, with the place")
  func damagedHarvests() throws {
    let sound = try MadeUpHarvest([
      ("german", ["german": 4, "english": 1, "french": 0]), ("french", ["german": 0, "english": 0, "french": 2]),
    ]).json
    let folder = try SelectionFolder(["{select: most-selective, corpus: german, count: 1}"], harvest: nil)
    defer { folder.remove() }
    let file = "small/decomposition.harvest.json"
    try folder.folder.write(sound, to: file)
    #expect(folder.refusal().hasPrefix("accepted"))

    func damage(_ change: (inout [String: Any]) -> Void) throws -> String {
      var document = try #require(try JSONSerialization.jsonObject(with: Data(sound.utf8)) as? [String: Any])
      change(&document)
      return String(decoding: try JSONSerialization.data(withJSONObject: document), as: UTF8.self)
    }
    func damageFirst(_ key: String, _ value: Any?) throws -> String {
      try damage { document in
        var parts = document["subcomponents"] as? [[String: Any]] ?? []
        parts[0][key] = value
        document["subcomponents"] = parts
      }
    }
    let cases: [(text: String, says: String)] = [
      ("{", "expected a harvest as `pdsweep harvest` writes it"),
      ("[1, 2]", "expected a harvest as"),
      (String(repeating: "[", count: 100_000), "expected a harvest as"),
      (String(sound.dropLast(20)), "expected a harvest as"),
      (try damageFirst("strength", nil), "subcomponents[0]: expected a harvest as"),
      (try damageFirst("strength", ["german": 1.0]), "subcomponents[0].strength: expected a number for each of the 3"),
      (
        try damageFirst("strength", ["german": -1.0, "english": 1.0, "french": 1.0]),
        "subcomponents[0].strength: expected a number for each of the 3"
      ),
      (try damageFirst("attribution", ["german": "x"]), "subcomponents[0].attribution.german: expected a harvest"),
      (try damageFirst("index", -1), "subcomponents[0]: expected a subcomponent, found h.0.mlp.c_fc:-1"),
      (try damageFirst("site", "wte"), "subcomponents[0]: expected a subcomponent, found wte:0"),
      (try damageFirst("index", 1), "subcomponents[1]: expected each subcomponent once, found h.0.mlp.c_fc:1 again"),
      (
        try damageFirst("importance", ["german": 0.5, "english": 0.5, "french": 0.5]),
        "expected an importance of all or of none"
      ),
      (
        try damage { document in
          var provenance = document["provenance"] as? [String: Any] ?? [:]
          provenance["languages"] = ["german"]
          document["provenance"] = provenance
        }, "provenance.languages: expected two languages at least"
      ),
      (
        try damage { document in
          var provenance = document["provenance"] as? [String: Any] ?? [:]
          provenance["inputs"] = [String: String]()
          document["provenance"] = provenance
        }, "one of no decomposition that it names"
      ),
    ]
    for (text, says) in cases {
      try folder.folder.write(text, to: file)
      let line = folder.refusal()
      #expect(line.contains(says) && line.contains(file) && !line.contains("\n"), "\(line)")
    }
  }
}
