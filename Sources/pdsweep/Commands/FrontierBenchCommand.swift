internal import ArgumentParser

/// `pdsweep bench frontier`.
struct FrontierBenchCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "frontier",
    abstract: "Measure how fast the frontier is kept while results come in.",
    discussion: """
      Made-up results of eight methods at seven token budgets are taken in one by one: each may change the fronts of \
      its method, of its budget and of all methods, with and without tokens as third axis, and their hypervolumes. \
      Prints one line of JSON:

        us_per_result          processor time of one result
        us_per_early_result    the same over the first thousand, while fronts are young
        analysis_s             processor time to analyse all results at once
        front                  edits on the front of all methods
        results, methods, budgets

      Measure a release build.

      EXAMPLES
        pdsweep bench frontier
        pdsweep bench frontier --results 10000
      """
  )

  @Option(help: "Results to take in.")
  var results = 100_000

  func validate() throws {
    guard (1000...1_000_000).contains(results) else {
      throw ValidationError("expected --results from 1000 to 1000000, found \(results)")
    }
  }

  func run() throws {
    try Terminal.write(json: try FrontierBenchmark(results: results).run())
  }
}
