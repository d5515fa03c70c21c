internal import ArgumentParser
internal import Foundation
internal import SettingsFiles
internal import SweepCore
internal import SweepSimulation

/// `pdsweep simulate`.
struct SimulateCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "simulate",
    abstract: "Say how long a sweep will take on so many workers that fail so often.",
    discussion: """
      Runs the scheduler that a coordinator runs, with workers that only take time. A cell takes its method's time, \
      times a factor that --spread draws. Workers fail at random, lose what they run, and come back after --restart; \
      the coordinator does the same, and hands nothing out meanwhile while cells go on. Not modelled: the network, \
      the start of workers, the fetching of files, equal cells, and cells that fail by themselves. The sweep's files \
      are not needed.

      Prints medians over several runs, and quartiles: the time to the end, node-hours (workers times that time), the \
      share of the work that failures threw away, and how many cells were begun again or failed for good.

      EXAMPLES
        pdsweep simulate sweeps/demo.yaml --workers 8 --cell-seconds 90
        pdsweep simulate sweeps/demo.yaml --workers 40 --slots 4 \\
            --cell-seconds 600 --cell-seconds lora-rank-4=900
        pdsweep simulate sweeps/demo.yaml --workers 40 --cell-seconds 600 \\
            --spread 0.3 --mtbf 12 --restart 300 --json
      """
  )

  @Argument(help: "The sweep file.", completion: .file(extensions: ["yaml", "yml"]))
  var file: String

  @Option(help: "Workers.")
  var workers: Int

  @Option(help: "Cells that each worker runs at a time.")
  var slots = 1

  @Option(
    help: ArgumentHelp(
      "Seconds that a cell takes; METHOD=SECONDS for one method. May be said several times.", valueName: "seconds"))
  var cellSeconds: [String]

  @Option(help: "Standard deviation of the logarithm of a cell's time: 0.3 is about a third up or down.")
  var spread = 0.0

  @Option(help: ArgumentHelp("Mean hours from a worker's start to its failure.", valueName: "hours"))
  var mtbf: Double?

  @Option(help: ArgumentHelp("Mean hours from the coordinator's start to its failure.", valueName: "hours"))
  var coordinatorMtbf: Double?

  @Option(help: ArgumentHelp("Seconds from a failure to the start after it.", valueName: "seconds"))
  var restart = 60.0

  @Option(help: "Runs to take the median of.")
  var runs = 9

  @Option(help: "Where the random numbers start.")
  var seed: UInt64 = 0

  @Flag(help: "Print one JSON object.")
  var json = false

  func validate() throws {
    try expect("--workers", workers, within: 1...100_000)
    try expect("--slots", slots, within: 1...1024)
    try expect("--runs", runs, within: 1...1000)
    try expect("--spread", spread, within: 0...5)
    try expect("--restart", restart, within: 0...1e7)
    if let mtbf { try expect("--mtbf", mtbf, within: 1e-3...1e7) }
    if let coordinatorMtbf { try expect("--coordinator-mtbf", coordinatorMtbf, within: 1e-3...1e7) }
    guard !cellSeconds.isEmpty else { throw ValidationError("expected --cell-seconds, found none") }
  }

  func run() throws {
    let spec = try SweepSpec(contentsOf: URL(fileURLWithPath: file))
    let plan = SweepPlan(spec)
    let times = try times(of: spec)
    var conditions = SweepForecast.Conditions(
      cellSeconds: plan.cells.map { times[$0.method] ?? 0 }, workers: workers)
    conditions.spread = spread
    conditions.slots = slots
    conditions.workerMTBF = mtbf.map { $0 * 3600 }
    conditions.coordinatorMTBF = coordinatorMtbf.map { $0 * 3600 }
    conditions.restart = restart
    let outcomes = (0..<UInt64(runs)).map { run in
      var forecast = SweepForecast(conditions, seed: seed &+ run)
      return forecast.run()
    }
    let report = ForecastReport(outcomes, cells: plan.cells.count, workers: workers, slots: slots)
    try json ? Terminal.write(json: report) : Terminal.write(report.text(of: spec.name))
  }

  /// Seconds of a cell, by method.
  private func times(of spec: SweepSpec) throws -> [String: Double] {
    var usual: Double?
    var times: [String: Double] = [:]
    let methods = spec.methods.map(\.name)
    for text in cellSeconds {
      let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      guard let last = parts.last, let seconds = Double(last), seconds > 0, seconds <= 1e7 else {
        throw ValidationError(
          "expected --cell-seconds SECONDS or METHOD=SECONDS with 0 < SECONDS <= 1e7, found \(text)")
      }
      if parts.count == 1 {
        usual = seconds
      } else {
        let method = String(parts[0])
        guard methods.contains(method) else {
          throw ValidationError(
            "expected --cell-seconds of a method of \(file) (\(methods.joined(separator: ", "))), found \(method)")
        }
        times[method] = seconds
      }
    }
    for method in methods where times[method] == nil {
      guard let usual else {
        throw ValidationError("expected --cell-seconds for every method, found none for \(method)")
      }
      times[method] = usual
    }
    return times
  }

  private func expect<Value: Comparable>(_ option: String, _ value: Value, within range: ClosedRange<Value>) throws {
    guard range.contains(value) else {
      throw ValidationError("expected \(option) from \(range.lowerBound) to \(range.upperBound), found \(value)")
    }
  }
}

/// What `pdsweep simulate` prints.
struct ForecastReport: Encodable {
  /// The middle half of the runs.
  struct Quartiles: Encodable {
    var lower: Double
    var median: Double
    var upper: Double

    /// Takes at least one value.
    init(_ values: [Double]) {
      let sorted = values.sorted()
      func quantile(_ share: Double) -> Double {
        let place = share * Double(sorted.count - 1)
        let low = Int(place)
        let high = min(low + 1, sorted.count - 1)
        return sorted[low] + (place - Double(low)) * (sorted[high] - sorted[low])
      }
      (lower, median, upper) = (quantile(0.25), quantile(0.5), quantile(0.75))
    }
  }

  var cells: Int
  var workers: Int
  var slots: Int
  var runs: Int
  /// Seconds.
  var makespan: Quartiles
  var nodeHours: Quartiles
  /// Of the time in which cells ran, the part that failures threw away.
  var lostShare: Quartiles
  var cellsRetried: Quartiles
  var cellsFailed: Quartiles

  enum CodingKeys: String, CodingKey {
    case cells, workers, slots, runs
    case makespan = "makespan_s"
    case nodeHours = "node_hours"
    case lostShare = "lost_share"
    case cellsRetried = "cells_retried"
    case cellsFailed = "cells_failed"
  }

  init(_ outcomes: [SweepForecast.Outcome], cells: Int, workers: Int, slots: Int) {
    self.cells = cells
    self.workers = workers
    self.slots = slots
    runs = outcomes.count
    makespan = Quartiles(outcomes.map(\.makespan))
    nodeHours = Quartiles(outcomes.map { $0.makespan * Double(workers) / 3600 })
    lostShare = Quartiles(outcomes.map { $0.busy > 0 ? $0.lost / $0.busy : 0 })
    cellsRetried = Quartiles(outcomes.map { Double($0.retried) })
    cellsFailed = Quartiles(outcomes.map { Double($0.failed) })
  }

  /// The same for people.
  func text(of sweep: String) -> String {
    func line(_ title: String, _ quartiles: Quartiles, _ digits: Int, _ unit: String = "", times factor: Double = 1)
      -> String
    {
      func number(_ value: Double) -> String { String(format: "%.\(digits)f", value * factor) }
      let range = "\(number(quartiles.lower)) to \(number(quartiles.upper))"
      return title.padding(toLength: 22, withPad: " ", startingAt: 0) + "\(number(quartiles.median))\(unit)"
        + (quartiles.lower < quartiles.upper ? "   (middle half of the runs: \(range))\n" : "\n")
    }
    return "\(sweep): cells \(cells), workers \(workers), slots of each \(slots); runs \(runs)\n\n"
      + line("time to the end", makespan, 2, " h", times: 1 / 3600) + line("node-hours", nodeHours, 2)
      + line("work lost to failures", lostShare, 2, " %", times: 100) + line("cells begun again", cellsRetried, 0)
      + line("cells failed for good", cellsFailed, 0)
  }
}
