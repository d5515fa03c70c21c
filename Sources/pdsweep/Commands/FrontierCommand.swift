internal import ArgumentParser
internal import SweepReport

/// `pdsweep frontier`.
struct FrontierCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "frontier",
    abstract: "Print the trade-off frontier of every method, and how many tokens each needs.",
    discussion: """
      Reads a store, whether or not its sweep still runs. The first table holds the edits that no other of their \
      method beats in both removal and retention cost; the second how few tokens of the forget corpora reach the \
      goal. Edits are chosen on the validation split and reported on the test split, each number with half the width \
      of its 95 % bootstrap interval over the split's evaluation windows (frontier.csv and --json have both ends). \
      Results of a pdsweep that did not keep what every window read have no interval.

      EXAMPLES
        pdsweep frontier
        pdsweep frontier demo.sqlite --sweep demo
        pdsweep frontier demo.sqlite --json
      """
  )

  @OptionGroup var store: StoreOptions

  @Flag(help: "Print one JSON object, the content of frontier.json, instead of tables.")
  var json = false

  func run() throws {
    let sweep = try store.reportedSweep()
    try Terminal.write(json ? sweep.frontierJSON() : sweep.frontierTable())
  }
}
