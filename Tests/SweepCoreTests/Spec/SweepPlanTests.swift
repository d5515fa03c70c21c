import SweepCore
import Testing

@Suite("The plan of a sweep")
struct SweepPlanTests {
  @Test("has one cell for every combination of a method's axes, and one for a token budget of 0")
  func counts() throws {
    let plan = SweepPlan(try SpecFixture.spec())
    var counts: [String: [Int: Int]] = [:]
    for cell in plan.cells { counts[cell.method, default: [:]][cell.tokenBudget, default: 0] += 1 }
    #expect(
      counts == [
        "solved": [1: 2, 16: 2, 256: 2],
        "one-scalar": [1: 8, 16: 8, 256: 8],
        "several": [1: 2, 16: 2, 256: 2],
        "low-rank": [1: 16, 16: 16, 256: 16],
        "localised": [0: 1, 64: 2],
        "scanned": [0: 3],
      ])
    for method in try SpecFixture.spec().methods {
      for budget in method.tokenBudgets {
        #expect(method.cellCount(tokenBudget: budget) == counts[method.name]?[budget])
      }
    }
  }

  @Test("has a single cell for a token budget of 0 even where the rank varies")
  func untrainedRanks() throws {
    let text = SpecFixture.replacing(
      "grid: {rank: [1, 4],", with: "grid: {token_budget: [0, 4], seed: [5, 3], rank: [1, 4],")
    let cells = SweepPlan(try SpecFixture.spec(text)).cells.filter { $0.method == "low-rank" && $0.tokenBudget == 0 }
    #expect(cells.map(\.edit) == [.lora(rank: 1, sites: .all, scale: 1)])
    #expect(cells.allSatisfy { $0.training == nil && $0.seed == 5 })
  }

  @Test("has each cell once")
  func distinct() throws {
    let cells = SweepPlan(try SpecFixture.spec()).cells
    #expect(Set(cells).count == cells.count)
  }

  @Test("deals: the first cell of every method and budget comes before the second of any")
  func dealt() throws {
    let cells = SweepPlan(try SpecFixture.spec()).cells
    struct Group: Hashable {
      let method: String
      let budget: Int
    }
    var seen: [Group: Int] = [:]
    var rounds: [Int] = []
    for cell in cells {
      let round = seen[Group(method: cell.method, budget: cell.tokenBudget), default: 0]
      seen[Group(method: cell.method, budget: cell.tokenBudget)] = round + 1
      rounds.append(round)
    }
    #expect(rounds == rounds.sorted())
    #expect(seen.count == 15)
    #expect(
      cells.prefix(8).map { "\($0.method) \($0.tokenBudget)" } == [
        "solved 1", "one-scalar 1", "several 1", "low-rank 1", "localised 0", "scanned 0", "solved 16",
        "one-scalar 16",
      ])
  }

  @Test("changes the steps fastest and the seed slowest within a method and budget")
  func orderWithinGroup() throws {
    let cells = SweepPlan(try SpecFixture.spec()).cells.filter { $0.method == "low-rank" && $0.tokenBudget == 16 }
    let settings = cells.map { cell -> [Double] in
      guard case .lora(let rank, _, _) = cell.edit, case .adamW(let adamW) = cell.training?.optimiser else { return [] }
      return [Double(cell.seed), Double(rank), adamW.learningRate, Double(adamW.steps)]
    }
    var expected: [[Double]] = []
    for seed in [0.0, 1] {
      for rank in [1.0, 4] {
        for rate in [1e-3, 1e-2] {
          for steps in [50.0, 150] { expected.append([seed, rank, rate, steps]) }
        }
      }
    }
    #expect(settings == expected)
  }

  @Test("gives each cell what its method says")
  func specifications() throws {
    let cells = SweepPlan(try SpecFixture.spec()).cells

    let several = try #require(cells.first { $0.method == "several" && $0.tokenBudget == 16 })
    #expect(several.decomposition == "other.safetensors")
    #expect(
      several.edit
        == .prefactors(
          subcomponents: .named([
            SubcomponentPath(site: SitePath(block: 1, matrix: .expand), index: 32),
            SubcomponentPath(site: SitePath(block: 0, matrix: .value), index: 5),
          ]), alphas: .separate))
    #expect(
      several.training
        == TrainingSpecification(
          tokenBudget: 16, retainTokens: 512, forgetLoss: .hinge, retainLoss: .kl, retainWeight: 10,
          optimiser: .adamW(
            AdamWSettings(
              learningRate: 0.2, steps: 50, beta1: 0.8, beta2: 0.99, epsilon: 1e-6, weightDecay: 0.01, clipNorm: 1))))

    let solved = try #require(cells.first { $0.method == "solved" })
    #expect(solved.training?.optimiser == .solve)

    let scanned = cells.filter { $0.method == "scanned" }
    #expect(
      scanned.map(\.edit)
        == [-8, 0.5, 4].map { alpha in
          .prefactors(
            subcomponents: .named([SubcomponentPath(site: SitePath(block: 1, matrix: .expand), index: 8)]),
            alphas: .fixed(alpha))
        })
    #expect(scanned.allSatisfy { $0.training == nil && $0.seed == 0 })

    let untrained = try #require(cells.first { $0.method == "localised" && $0.tokenBudget == 0 })
    #expect(untrained.training == nil)
    #expect(untrained.edit == .lora(rank: 1, sites: .named(["h.1.mlp.c_fc"]), scale: 2))
  }

  @Test("takes a LoRA's scale to be its rank, and evaluates only below a cell's own number of steps")
  func loraDefaults() throws {
    let cells = SweepPlan(try SpecFixture.spec()).cells.filter { $0.method == "low-rank" }
    for cell in cells {
      guard case .lora(let rank, .all, let scale) = cell.edit, let training = cell.training,
        case .adamW(let adamW) = training.optimiser
      else {
        Issue.record("\(cell)")
        continue
      }
      #expect(scale == Double(rank))
      #expect(training.evaluateAt == (adamW.steps == 50 ? [10] : [10, 50]))
    }
  }
}
