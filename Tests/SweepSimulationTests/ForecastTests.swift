import SweepSimulation
import Testing

/// What the planner says, where the answer is known.
@Suite struct ForecastTests {
  private func forecast(
    _ cells: Int, seconds: Double = 10, workers: Int, seed: UInt64 = 0,
    _ change: (inout SweepForecast.Conditions) -> Void = { _ in }
  ) -> SweepForecast.Outcome {
    var conditions = SweepForecast.Conditions(
      cellSeconds: Array(repeating: seconds, count: cells), workers: workers)
    change(&conditions)
    var forecast = SweepForecast(conditions, seed: seed)
    return forecast.run()
  }

  @Test(
    "without failures, equal cells take as many rounds as they need", arguments: [(1, 1), (7, 2), (40, 8), (41, 8)])
  func rounds(cells: Int, workers: Int) {
    for slots in [1, 3] {
      let outcome = forecast(cells, seconds: 4, workers: workers) { $0.slots = slots }
      let rounds = (cells + workers * slots - 1) / (workers * slots)
      #expect(abs(outcome.makespan - Double(4 * rounds)) < 1e-6)
      #expect(abs(outcome.busy - Double(4 * cells)) < 1e-6)
      #expect(outcome.lost == 0 && outcome.retried == 0 && outcome.failed == 0)
    }
  }

  @Test("a sweep without cells takes no time")
  func nothing() {
    let outcome = forecast(0, workers: 3)
    #expect(outcome.makespan == 0 && outcome.busy == 0)
  }

  @Test("a single worker that fails loses what theory says")
  func theory() {
    // A cell of length L under failures at rate 1/M is lost exp(L/M) - 1 times on average; each loss costs the time to
    // the failure. Cells may be tried three times only: what counts is few failures.
    let (length, mean) = (60.0, 3600.0)
    var lost = 0.0
    var retried = 0
    for seed in UInt64(0)..<20 {
      let outcome = forecast(2000, seconds: length, workers: 20, seed: seed) {
        $0.workerMTBF = mean
        $0.restart = 30
      }
      lost += outcome.lost / outcome.busy / 20
      retried += outcome.retried
      #expect(outcome.failed == 0)
    }
    // Expected share of the work that is lost: about L / 2M.
    #expect(abs(lost - length / (2 * mean)) < 0.1 * length / (2 * mean))
    // Expected cells disturbed: 1 - exp(-L/M) each.
    let expected = 20 * 2000 * (1 - 0.983_471_453_821_617)
    #expect(abs(Double(retried) - expected) < 0.1 * expected)
  }

  @Test("while the coordinator is away nothing is handed out, and what runs goes on")
  func coordinatorFailures() {
    let calm = forecast(1000, workers: 10).makespan
    let outcome = forecast(1000, workers: 10) {
      $0.coordinatorMTBF = 100
      $0.restart = 50
    }
    #expect(outcome.lost == 0 && outcome.retried == 0)
    #expect(outcome.makespan > 1.2 * calm)
    #expect(outcome.makespan < 2.5 * calm)
  }

  @Test("the same seed gives the same forecast, another one another")
  func seeds() {
    func run(_ seed: UInt64) -> SweepForecast.Outcome {
      forecast(300, workers: 7, seed: seed) {
        $0.spread = 0.4
        $0.workerMTBF = 500
      }
    }
    #expect(run(1) == run(1))
    #expect(run(1) != run(2))
  }

  @Test("with spread the work is, on average, what the distribution says")
  func spread() {
    let outcome = forecast(20_000, seconds: 10, workers: 50) { $0.spread = 0.5 }
    // The mean of a log-normal distribution is its median times exp(s^2 / 2).
    #expect(abs((outcome.busy - outcome.spare) / 200_000 - 1.133_148) < 0.03)
  }
}
