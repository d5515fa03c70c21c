import Foundation
import FoundationXML
import SweepCore
import TestSupport
import Testing

@testable import SweepReport

/// Reads an SVG file: fails unless it is well-formed, and collects its elements.
final class SVGReader: NSObject, XMLParserDelegate {
  struct Element {
    var name: String
    var attributes: [String: String]
    var text = ""
  }

  private(set) var elements: [Element] = []
  private var open: [Int] = []

  static func read(_ text: String) throws -> [Element] {
    let reader = SVGReader()
    let parser = XMLParser(data: Data(text.utf8))
    parser.delegate = reader
    #expect(parser.parse(), "line \(parser.lineNumber): \(String(describing: parser.parserError))")
    return reader.elements
  }

  func parser(
    _ parser: XMLParser, didStartElement name: String, namespaceURI: String?, qualifiedName: String?,
    attributes: [String: String]
  ) {
    open.append(elements.count)
    elements.append(Element(name: name, attributes: attributes))
  }

  func parser(_ parser: XMLParser, didEndElement name: String, namespaceURI: String?, qualifiedName: String?) {
    open.removeLast()
  }

  func parser(_ parser: XMLParser, foundCharacters text: String) {
    if let last = open.last { elements[last].text += text }
  }
}

@Suite struct FrontierPlotTests {
  /// A sweep with many methods, budgets and seeds, whose readings are drawn by seed and go to extremes.
  static func large(methods: [String], budgets: [Int], seed: UInt64) -> [CellRecord] {
    var generator = SeededGenerator(seed: seed)
    var records: [CellRecord] = []
    for method in methods {
      for budget in budgets {
        for rank in 1...3 {
          for cellSeed in 0..<2 as Range<UInt64> {
            let edit = EditSpecification.lora(rank: rank, sites: .all, scale: 1)
            let specification = SmallSweep.specification(
              edit, budget: budget, optimiser: SmallSweep.adamW, seed: cellSeed)
            let removal = Double.random(in: 3...9, using: &generator)
            let cost = pow(10, Double.random(in: -3...2, using: &generator)) - 0.01
            let evaluation = SmallSweep.evaluation(
              step: 100, german: (removal, removal * 1.01), english: (2 + cost, 2.5 + cost), french: (1, 1))
            let cell = SmallSweep.cell(records.count, method, specification)
            records.append(SmallSweep.completed(cell, [evaluation], .lora(deltaNorms: [])))
          }
        }
      }
    }
    return records
  }

  static let strangeNames = [
    "a & b", "<script>alert(1)</script>", "\"quoted\"", "tab\tand\u{1B}[31mescape", "\u{FFFF}", "日本語の方法", "",
    String(repeating: "very long ", count: 40),
  ]

  static let sweeps: [(name: String, records: [CellRecord])] = [
    ("small", SmallSweep.records),
    ("no cells", []),
    ("no results", SmallSweep.records.map { CellRecord(cell: $0.cell, state: .pending) }),
    ("one cell", Array(SmallSweep.records.prefix(1))),
    ("large", large(methods: (1...7).map { "method-\($0)" }, budgets: [1, 4, 16, 64, 256, 1024], seed: 1)),
    ("strange names", large(methods: strangeNames, budgets: [1, 1_000_000], seed: 2)),
    ("many budgets", large(methods: ["m"], budgets: Array(1...13), seed: 3)),
  ]

  static let drawings: [@Sendable (ReportedSweep) -> String] = [
    { $0.frontierSVG() }, { $0.attainmentSVG() }, { $0.tokensSVG() }, { $0.matchedSVG() },
  ]

  @Test(arguments: sweeps.indices, drawings.indices)
  func isWellFormedAndAccessible(index: Int, drawing: Int) throws {
    let (name, records) = Self.sweeps[index]
    let elements = try SVGReader.read(Self.drawings[drawing](SmallSweep.report(records, name: name)))
    let root = try #require(elements.first)
    #expect(root.name == "svg")
    #expect(root.attributes["role"] == "img")
    #expect(root.attributes["aria-labelledby"] == "title description")
    #expect(elements.contains { $0.name == "title" && $0.attributes["id"] == "title" && !$0.text.isEmpty })
    #expect(elements.contains { $0.name == "desc" && $0.attributes["id"] == "description" && !$0.text.isEmpty })
  }

  @Test(arguments: sweeps.indices, drawings.indices)
  func noLabelsOverlapOrLeaveThePage(index: Int, drawing: Int) throws {
    let (name, records) = Self.sweeps[index]
    let elements = try SVGReader.read(Self.drawings[drawing](SmallSweep.report(records, name: name)))
    let width = try #require(Double(elements[0].attributes["width"] ?? ""))
    let height = try #require(Double(elements[0].attributes["height"] ?? ""))
    var boxes: [(text: String, across: ClosedRange<Double>, along: ClosedRange<Double>)] = []
    for element in elements where element.name == "text" {
      let size = Double(element.attributes["font-size"] ?? "11") ?? 11
      let x = try #require(Double(element.attributes["x"] ?? ""))
      let y = try #require(Double(element.attributes["y"] ?? ""))
      let length = PlotText.width(element.text, size: size)
      let left =
        switch element.attributes["text-anchor"] {
        case "middle": x - length / 2
        case "end": x - length
        default: x
        }
      var across = left...(left + length)
      var along = (y - 0.75 * size)...(y + 0.1 * size)
      if element.attributes["transform"]?.hasPrefix("rotate(-90") == true {
        across = (x - 0.75 * size)...(x + 0.1 * size)
        along = (y - length / 2)...(y + length / 2)
      }
      #expect(across.lowerBound >= 0 && across.upperBound <= width, "\(name): \(element.text) leaves the page")
      #expect(along.lowerBound >= 0 && along.upperBound <= height, "\(name): \(element.text) leaves the page")
      for box in boxes where box.across.overlaps(across) && box.along.overlaps(along) {
        Issue.record("\(name): '\(element.text)' overlaps '\(box.text)'")
      }
      boxes.append((element.text, across, along))
    }
  }

  @Test func labelsAxesUniformGuessAndMethods() throws {
    let elements = try SVGReader.read(SmallSweep.report().frontierSVG())
    let labels = elements.filter { $0.name == "text" }.map(\.text)
    for label in [
      "English retention cost (nats, symmetric log scale)", "German cross-entropy (nats)", "uniform guess",
      "ln 2048 = 7.62", "base model", "one-scalar", "lora", "scan", "0 tokens: set, not trained", "4 tokens",
      "goal: German \u{2265} 7.62, English cost \u{2264} 0.05",
    ] {
      #expect(labels.contains(label), "\(label)")
    }
    let marks = elements.filter { $0.name == "title" && $0.attributes["id"] == nil }.map(\.text)
    #expect(
      marks == [
        "scan, 0 tokens, alpha 2: removal 3.500, cost 0.000 (1 seed)",
        "one-scalar, 4 tokens, solve, retain 10: removal 8.250, cost 0.039 (2 seeds)",
        "lora, 4 tokens, lr 0.01, retain 10, steps 100, at step 50: removal 4.250, cost 0.000 (1 seed)",
        "lora, 4 tokens, lr 0.01, retain 10, steps 100: removal 7.250, cost 0.500 (1 seed)",
      ])
  }

  @Test func methodsDifferInColourAndShape() {
    for palette in [PlotPalette(.file), PlotPalette(.page(id: "p"))] {
      let styles = (0..<56).map { (palette.method($0), PlotStyle(place: $0).marker(x: 0, y: 0, radius: 4)) }
      #expect(Set(styles.map { $0.0 + $0.1 }).count == 56)
      #expect(Set(styles.prefix(7).map(\.0)).count == 7)
      #expect(Set(styles.prefix(7).map(\.1)).count == 7)
    }
  }

  @Test func marksBeyondAnAxisAreDrawnInsideWithAnArrow() throws {
    var records = SmallSweep.records
    records[0].result?.evaluations = [
      SmallSweep.evaluation(step: 0, german: (8, 1e9), english: (2.5, 1e9), french: (1, 1))
    ]
    records.remove(at: 1)
    let svg = SmallSweep.report(records).frontierSVG()
    #expect(svg.contains("Arrows point to markers that lie beyond an axis."))
    #expect(!SmallSweep.report().frontierSVG().contains("Arrows"))
    #expect(svg.utf8.count < 20_000)
  }
}

@Suite struct PlotScaleTests {
  static let scales: [any PlotScale] = [
    LinearScale(domain: 3...9.2, steps: 5), LinearScale(domain: 0...0.004, steps: 4),
    SymmetricLogScale(domain: -0.02...5, thresholdExponent: -2),
    SymmetricLogScale(domain: -1...20, thresholdExponent: -2),
  ]

  @Test(arguments: scales.indices)
  func mapsTheDomainInOrderOntoTheUnitInterval(index: Int) {
    let scale = Self.scales[index]
    let (low, high) = (scale.domain.lowerBound, scale.domain.upperBound)
    #expect(abs(scale.place(low)) < 1e-12)
    #expect(abs(scale.place(high) - 1) < 1e-12)
    let places = (0...100).map { scale.place(low + (high - low) * Double($0) / 100) }
    #expect(zip(places, places.dropFirst()).allSatisfy { $0 < $1 })
    let marks = scale.ticks.map(\.value) + scale.minorTicks
    #expect(marks.allSatisfy(scale.domain.contains))
    #expect(scale.ticks.count >= 3 && scale.ticks.count <= 9)
  }

  @Test func labelsSayTheirValues() {
    for scale in Self.scales {
      for tick in scale.ticks {
        let text = tick.label.replacingOccurrences(of: "\u{2212}", with: "-")
        #expect(abs((Double(text) ?? .nan) - tick.value) < 1e-9, "\(tick)")
      }
    }
  }
}
