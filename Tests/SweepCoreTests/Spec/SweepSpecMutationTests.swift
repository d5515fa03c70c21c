import SettingsFiles
import SweepCore
import TestSupport
import Testing

@Suite("A sweep file changed at random")
struct SweepSpecMutationTests {
  /// Methods that select, each in another way.
  private static let selecting = SelectionFolder.sweep(
    [
      "{select: most-important, corpus: german, count: 2, sites: [h.1.mlp.c_fc, h.0.attn.v_proj]}",
      "{select: labelled, label: \"German, nouns\", labels: labels.csv, corpus: german, count: 1}",
    ],
    others:
      "  lora: {edit: lora, rank: 1, sites: of-selected, decomposition: x, subcomponents: {select: labelled, corpus: french, count: 1}}\n"
  )

  @Test("is read or refused in one line, whatever the change", arguments: 0..<8 as Range<UInt64>)
  func mutations(seed: UInt64) {
    var generator = SeededGenerator(seed: seed)
    for round in 0..<400 {
      var bytes = Array((round.isMultiple(of: 2) ? SpecFixture.text : Self.selecting).utf8)
      for _ in 0..<Int.random(in: 1...4, using: &generator) { mutate(&bytes, &generator) }
      do {
        let spec = try SweepSpec(yaml: bytes, file: "sweep.yaml")
        // What is accepted can also be planned.
        let counts = spec.methods.flatMap { method in
          method.tokenBudgets.map { method.cellCount(tokenBudget: $0) ?? 0 }
        }
        #expect(SweepPlan(spec).cells.count == counts.reduce(0, +), "seed \(seed), round \(round)")
      } catch {
        let line = error.description
        #expect(line.hasPrefix("sweep.yaml") && line.count > 20, "seed \(seed), round \(round): \(line)")
        #expect(
          line.unicodeScalars.allSatisfy { $0.properties.generalCategory != .control && $0 != "\u{2028}" },
          "seed \(seed), round \(round): \(line)")
      }
    }
  }

  /// Deletes, doubles or replaces a byte, a run of bytes or a line.
  private func mutate(_ bytes: inout [UInt8], _ generator: inout SeededGenerator) {
    guard !bytes.isEmpty else { return }
    let start = Int.random(in: 0..<bytes.count, using: &generator)
    let run = start..<min(bytes.count, start + Int.random(in: 1...12, using: &generator))
    let lineStart = bytes[..<start].lastIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? 0
    let lineEnd = bytes[start...].firstIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? bytes.count
    let signs = Array("[]{}:,-?&*!|>'\"%@`#~ \t\n\\0129.eE+nul".utf8)
    switch Int.random(in: 0..<8, using: &generator) {
    case 0: bytes.remove(at: start)
    case 1: bytes.removeSubrange(run)
    case 2: bytes.insert(contentsOf: bytes[run], at: start)
    case 3: bytes[start] = UInt8.random(in: 0...255, using: &generator)
    case 4: bytes[start] = signs.randomElement(using: &generator) ?? 0
    case 5: bytes.insert(signs.randomElement(using: &generator) ?? 0, at: start)
    case 6: bytes.removeSubrange(lineStart..<lineEnd)
    default: bytes.insert(contentsOf: bytes[lineStart..<lineEnd], at: lineStart)
    }
  }
}
