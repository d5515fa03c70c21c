import ContentHash
import Foundation
import SweepCore
import TestSupport
import Testing

@testable import SweepReport

@Suite struct ReportTests {
  static let provenance = SweepProvenance(
    reporter: "0.1.0", sweepDigest: "d1gest", sweepFile: "sweep: <small>\n",
    begun: Date(timeIntervalSince1970: 1_750_000_000), opened: Date(timeIntervalSince1970: 1_750_003_600),
    faults: [.init(cell: 3, worker: "node<7>")])

  /// The page's elements; the page is written so that it is XML too, and fails here if it is not well-formed.
  static func elements(_ page: String) throws -> [SVGReader.Element] {
    try SVGReader.read(page)
  }

  // MARK: The page

  @Test(arguments: FrontierPlotTests.sweeps.indices)
  func thePageIsWellFormedAndNeedsNothingElse(index: Int) throws {
    let (name, records) = FrontierPlotTests.sweeps[index]
    let page = SmallSweep.report(records, name: name).reportHTML(provenance: Self.provenance)
    let elements = try Self.elements(page)
    let ids = elements.compactMap { $0.attributes["id"] }
    #expect(Set(ids).count == ids.count, "ids are used twice")
    for element in elements {
      #expect(!["script", "link", "img", "iframe", "object", "embed", "image", "use"].contains(element.name))
      #expect(element.attributes["src"] == nil && !element.attributes.keys.contains { $0.hasPrefix("on") })
      if let link = element.attributes["href"] {
        #expect(link.hasPrefix("#") && ids.contains(String(link.dropFirst())), "\(link)")
      }
    }
    #expect(!page.contains("@import") && !page.contains("url("))
    #expect(page.utf8.count < 5_000_000)
  }

  @Test func everyNameIsTextWhateverItHolds() throws {
    let hostile = "</style><script>alert(\"1\")</script> & 'x' \u{202E}"
    let records = FrontierPlotTests.large(methods: [hostile, "plain"], budgets: [1], seed: 5).map { record in
      var record = record
      for place in record.cell.specification.corpora.indices { record.cell.specification.corpora[place].name = hostile }
      let evaluations = record.result?.evaluations ?? []
      record.result?.evaluations = evaluations.map { evaluation in
        var evaluation = evaluation
        for place in evaluation.corpora.indices { evaluation.corpora[place].name = hostile }
        return evaluation
      }
      record.report?.host = hostile
      return record
    }
    let page = SmallSweep.report(records, name: hostile).reportHTML(provenance: Self.provenance)
    let elements = try Self.elements(page)
    #expect(!page.contains("<script") && !page.contains("\u{202E}"))
    #expect(elements.count { $0.name == "style" } == 1)
    let shown = hostile.replacing("\u{202E}", with: "\u{FFFD}")
    #expect(elements.contains { $0.name == "h1" && $0.text.hasPrefix(shown) })
  }

  @Test func theProtocolTellsHowSubcomponentsWereChosen() throws {
    let (harvest, labels) = (SHA256Digest(of: "a harvest"), SHA256Digest(of: "labels"))
    let selection = SweepSelection(
      SubcomponentSelection(
        .labelled("<nouns>", labels: "labels.csv", corpus: "german"), count: 1, decomposition: "ica.safetensors"),
      methods: ["one-scalar", "scan"], harvest: harvest, labels: labels,
      outcome: SelectedSubcomponents(
        measure: .selectivity,
        members: [
          .init(
            subcomponent: SubcomponentPath(site: SitePath(block: 1, matrix: .expand), index: 8), label: "<nouns>",
            ratio: 2.5, value: 2.5)
        ]))
    let sweep = SmallSweep.report(selections: [selection])
    let page = sweep.reportHTML(provenance: Self.provenance)
    _ = try Self.elements(page)
    #expect(page.contains("<dt>one-scalar, scan</dt>"))
    #expect(
      page.contains(
        "labelled &quot;&lt;nouns&gt;&quot;, the most selective for german first, of ica.safetensors: "
          + "h.1.mlp.c_fc:8 (&lt;nouns&gt;)"))
    for digest in [harvest, labels] {
      #expect(page.contains("\(digest)") && sweep.protocolJSON().contains("\(digest)"))
    }
    #expect(sweep.protocolJSON().contains("\"subcomponent\" : \"h.1.mlp.c_fc:8\""))
    let without = SmallSweep.report().reportHTML(provenance: Self.provenance)
    #expect(!without.contains("Selected subcomponents") && !without.contains("<dt>Selections</dt>"))
  }

  @Test func literalsAreMarkupAndWhatIsInterpolatedIsNot() {
    let name = "<b>\"a\" & b</b>"
    let inner: HTML = "<i>\(name)</i>"
    let outer: HTML = "<p title=\"\(name)\">\([inner, inner])\(3)</p>"
    let escaped = "&lt;b&gt;&quot;a&quot; &amp; b&lt;/b&gt;"
    #expect(outer.markup == "<p title=\"\(escaped)\"><i>\(escaped)</i><i>\(escaped)</i>3</p>")
  }

  // MARK: The same for the same results

  @Test func onlyProvenanceTellsOfWhereAndHowFastCellsRan() throws {
    let elsewhere = SmallSweep.records.map { record in
      var record = record
      record.attempts += 3
      if record.state == .completed {
        record.report = AttemptReport(wallSeconds: 9, tokensPerSecond: 1, host: "node7", engineVersion: "0.2.0")
      }
      return record
    }
    let (here, there) = (SmallSweep.report(), SmallSweep.report(elsewhere.reversed()))
    let pairs = zip(here.reportFiles(provenance: nil), there.reportFiles(provenance: nil))
    #expect(pairs.filter { $0 != $1 }.map { $0.0.name } == ["provenance.csv"])

    let pages = [here, there].map { $0.reportHTML(provenance: Self.provenance) }
    let parts = try pages.map { page in
      let start = try #require(page.range(of: "<section id=\"provenance\">"))
      return (String(page[..<start.lowerBound]), String(page[start.lowerBound...]))
    }
    #expect(parts[0].0 == parts[1].0)
    #expect(parts[0].1 != parts[1].1)
    #expect(parts[1].1.contains("node7 (4 cells)") && parts[1].1.contains("cell 3 by node&lt;7&gt;"))
    #expect(parts[0].1.contains("diverged: 1 cell; cell 3: step 3: loss is &quot;nan&quot;, stopped"))
  }

  // MARK: Tables

  static func rows(_ table: ReportTable) -> [[String]] {
    table.rows.map { $0.map(\.line) }
  }

  @Test func theHeadlineSaysHowFewTokensAndAtWhatCost() {
    // The loras' steps 50 are within the goal's cost, their ends are not.
    let table = SmallSweep.report().headlineTable()
    #expect(
      table.columns.map(\.title) == ["Method", "Tokens", "Seeds", "Learned", "German", "English cost", "French cost"])
    #expect(
      Self.rows(table) == [
        [
          "one-scalar", "4", "2 of 2", "alpha 0.25 (-5.50 to 6.00)", "8.250 (8.000 to 8.500)",
          "+0.039 (+0.016 to +0.063)", "+0.125 (0.000 to +0.250)",
        ],
        ["lora", "never", "0 of 2", "rank 1 (stopped early)", "4.250", "0.000", "0.000"],
        ["scan", "never", "0 of 1", "alpha 2.00", "3.500", "0.000", "0.000"],
      ])
    #expect(table.rows.map { $0[4].isPale } == [false, true, true])
  }

  @Test func tablesAreWrittenForMarkdownAndLaTeXWithoutLettingNamesIn() {
    var table = ReportTable(
      name: "t", title: "a_b", caption: "50 % & more",
      columns: [.init(title: "x|y", alignment: .left), .init(title: "n", alignment: .right)])
    table.append([.init(text: "<i> {$}\\", method: 0), .init(text: "-1.5", detail: "-2 to 3")])
    #expect(
      table.markdown() == """
        **a&#95;b.** 50 % &#38; more

        | x&#124;y | n |
        | :--- | ---: |
        | &#60;i&#62; {&#36;}&#92; | -1.5 (-2 to 3) |

        """)
    let latex = table.latex()
    #expect(latex.contains("\\caption{a\\_b. 50 \\% \\& more}"))
    #expect(latex.contains("\\textless{}i\\textgreater{} \\{\\$\\}\\textbackslash{} & $-$1.5 ($-$2 to 3) \\\\"))
    #expect(latex.contains("\\begin{tabular}{lr}"))
  }

  @Test func fullNumbersAreInTheTablesForPrograms() {
    let lines = SmallSweep.report().headlineCSV().split(separator: "\n")
    #expect(
      lines[1] == "one-scalar,2,2,2,2,4.0,goal,alpha 0.25; -5.50 to 6.00,8.25,8.0,8.5,,,0.0390625,0.015625,0.0625,,,"
        + "0.125,0.0,0.25,,,1,\(SmallSweep.report().analysis.methods[0].hypervolume?.plane.validation ?? 0),"
        + "\(SmallSweep.report().analysis.methods[0].hypervolume?.plane.test ?? 0)")
    let attainment = SmallSweep.report().attainmentCSV().split(separator: "\n")
    let guess = log(2048.0)
    #expect(attainment.contains("one-scalar,4,test,1,2,0.015625,\(guess)"))
    #expect(attainment.contains("one-scalar,4,test,2,2,0.0625,\(guess)"))
    #expect(
      SmallSweep.report().matchedCSV().split(separator: "\n").contains {
        $0.hasPrefix("one-scalar,,100 %,\(guess),2,2,0 1,8.25,")
      })
  }

  @Test func intervalsStandWhereResultsTellWhatTheirWindowsRead() {
    let plain = SmallSweep.report().headlineTable()
    #expect(plain.caption.hasSuffix("No intervals: these results do not tell what their evaluation windows read."))
    #expect(plain.rows.allSatisfy { $0.allSatisfy { $0.interval == nil } })

    // Two windows of each split, a quarter of a nat below and above the mean, of the base model as of the edited one.
    func windows(_ losses: SplitLosses) -> WindowLosses {
      func pair(_ loss: Double) -> [Float] { [Float(loss) - 0.25, Float(loss) + 0.25] }
      return WindowLosses(validation: pair(losses.validation), test: pair(losses.test))
    }
    let records = SmallSweep.records.map { record in
      var record = record
      let result = record.result
      record.result?.windows = result.map { result in
        ResultWindows(
          base: result.evaluations[0].corpora.map { windows($0.base) },
          edited: result.evaluations.map { $0.corpora.map { windows($0.edited) } })
      }
      return record
    }
    let told = SmallSweep.report(records)
    let scan = told.headlineTable().rows[2]
    #expect(scan[4].line == "3.500 [3.250 to 3.750]")
    // What both models find hard cancels.
    #expect(scan[5].line == "0.000 [0.000 to 0.000]")
    #expect(told.headlineTable().caption.contains("In brackets: 95 % intervals"))
    #expect(told.headlineCSV().split(separator: "\n")[3].contains(",3.5,3.5,3.5,3.25,3.75,0.0,0.0,0.0,0.0,0.0,"))
    #expect(told.reportHTML(provenance: nil).contains("<small>[3.250 to 3.750]</small>"))
  }

  @Test func onlyWhatIsASignBecomesAMinus() {
    #expect("-1.5 to -0.5 (-3), h-1, 2-3, a - b, -".withTrueMinus == "−1.5 to −0.5 (−3), h-1, 2-3, a - b, -")
  }

  // MARK: Words

  @Test func theAnswerNamesWhatReachesTheGoalAndWhatDoesNot() {
    let answer = ReportWords(sweep: SmallSweep.report()).answer()
    #expect(answer.contains("one-scalar reaches it with 4 tokens of German (2 of 2 seeds)"))
    #expect(answer.contains("+0.039 in English and +0.125 in French"))
    #expect(answer.contains("Not with more than half of their seeds: lora and scan."))
    #expect(answer.contains("2 of 6 cells have no result"))
    #expect(ReportWords(sweep: SmallSweep.report([])).answer() == "No cell has a result yet.")
  }

  @Test func aParagraphSaysWhatTheNumbersDoNotShow() {
    let report = SmallSweep.report()
    let words = ReportWords(sweep: report)
    let scalar = words.paragraph(of: report.summaries[0])
    // Seed 1 reads a cost of 0.0625 on test.
    #expect(scalar.contains("1 of them reaches the goal on validation"))
    #expect(scalar.contains("(seed 1: 8.000 at +0.063)"))
    #expect(scalar.contains("4 is the smallest budget that was tried"))
    #expect(scalar.contains("2 seeds give a range and not a distribution"))
    let lora = words.paragraph(of: report.summaries[1])
    #expect(lora.contains("does not reach the goal with any of 2 seeds"))
    #expect(lora.contains("from along the way (step 50)"))
    #expect(lora.contains("1 cell of its grid has no result (1 failed)"))
  }

  @Test func aChoiceAtAnEdgeOfTheGridIsNamed() {
    let records = [1.0, 10, 100].enumerated().map { index, weight in
      var specification = SmallSweep.specification(SmallSweep.scalar, budget: 4)
      specification.training?.retainWeight = weight
      // The larger the weight, the cheaper.
      return SmallSweep.completed(
        SmallSweep.cell(index, "m", specification),
        [SmallSweep.evaluation(step: 0, german: (8, 8), english: (2 + 0.03 / weight, 2.5), french: (1, 1))],
        .prefactors(alphas: [-4]))
    }
    let report = SmallSweep.report(records)
    let text = ReportWords(sweep: report).paragraph(of: report.summaries[0])
    #expect(text.contains("retain weight 100, the largest tried, for 1 of 1 edit"))
    let single = SmallSweep.report([records[0]])
    #expect(!ReportWords(sweep: single).paragraph(of: single.summaries[0]).contains("edge of the grid"))
  }

  // MARK: Protocol

  @Test func theProtocolHoldsWhatAnAppendixLists() throws {
    let text = SmallSweep.report().protocolJSON()
    let json = try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
    #expect(json["schema"] as? String == "pdsweep.protocol/1")
    let methods = try #require(json["methods"] as? [[String: Any]])
    #expect(methods.compactMap { $0["name"] as? String } == ["one-scalar", "lora", "scan"])
    let grid = try #require(methods[0]["grid"] as? [[String: Any]])
    #expect(grid.compactMap { $0["name"] as? String } == ["seed"])
    #expect(grid[0]["values"] as? [String] == ["0", "1"])
    #expect(methods[0]["retain_tokens_seen"] as? [Int] == [64, 64])
    let scan = try #require(methods[2]["grid"] as? [[String: Any]])
    #expect(scan.compactMap { $0["name"] as? String } == ["alpha"])
    let rules = try #require(json["rules"] as? [[String: String]]).compactMap { $0["name"] }
    #expect(rules.contains("Forget loss hinge") && !rules.contains("Forget loss neg-ce"))
    #expect(rules.contains("Solve") && rules.contains("AdamW") && rules.contains("LoRA"))
    let corpora = try #require(json["corpora"] as? [[String: Any]])
    #expect((corpora[0]["base"] as? [String: Double])?["test"] == 3.25)
  }

  // MARK: Rollouts

  /// One edit's continuations and losses; the window's tokens are markup where they are not escaped.
  static func rollouts(of sweep: ReportedSweep) -> RolloutDocument {
    let edges = RolloutDocument.divergenceEdges
    let edit = EditRecord(sweep.analysis.points[0], reasons: [], in: sweep)
    return RolloutDocument(
      sweep: sweep.name, sampling: .init(tokens: 8, temperature: 0, seed: 1),
      corpora: [.init(name: "german", role: .forget), .init(name: "english", role: .retain)],
      prompts: [.init(corpus: "german", text: "Der <b>", base: "Hund\nund</dd>")],
      windows: [.init(corpus: "german", tokens: ["<i>", " am", " Ende"], base: [0.5, 1.5, 3])],
      edits: [
        .init(
          edit: edit, continuations: ["zzz <script>"],
          windows: [.init(crossEntropies: [7, 7, 13], divergences: [0, 0.02, 5])],
          divergences: [.init([0.1, 0.2, 50], edges: edges), .init([Float](), edges: edges)])
      ])
  }

  @Test func rolloutsAreShownWithEveryTokenOnTheGroundOfItsLoss() throws {
    let sweep = SmallSweep.report()
    let page = sweep.reportHTML(rollouts: Self.rollouts(of: sweep), provenance: nil)
    let elements = try Self.elements(page)
    #expect(!page.contains("<script"))
    #expect(elements.contains { $0.name == "dd" && $0.text == "zzz <script>" })
    #expect(elements.contains { $0.name == "dd" && $0.text == "Hund \u{21B5} und</dd>" })
    // The base model's losses: 0.5 has no ground, 1.5 the first, 3 the second.
    #expect(page.contains("<p>&lt;i&gt;<i class=\"c1\"> am</i><i class=\"c2\"> Ende</i></p>"))
    // Neighbours of one shade share a ground.
    #expect(page.contains("<i class=\"c4\">&lt;i&gt; am</i><i class=\"c6\"> Ende</i>"))
    #expect(page.contains("<p>&lt;i&gt;<i class=\"k1\"> am</i><i class=\"k6\"> Ende</i></p>"))
    let names = sweep.reportFiles(rollouts: Self.rollouts(of: sweep), provenance: nil).map(\.name)
    #expect(names.contains("divergence.svg") && names.contains("rollouts.json"))
    #expect(Set(names).count == names.count)
  }
}
