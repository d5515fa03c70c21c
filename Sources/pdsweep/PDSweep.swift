internal import ArgumentParser

/// The root command.
struct PDSweep: AsyncParsableCommand {
  /// The version of this program.
  static let version = "0.1.0"

  static let configuration = CommandConfiguration(
    commandName: "pdsweep",
    abstract: "Find the edit of a language model that removes one language at the least cost to the others.",
    discussion: """
      A sweep file names a target model whose weight matrices are decomposed into rank-1 subcomponents, the text to \
      remove and the text to keep, and the edits to compare: scalings of subcomponents, low-rank adapters and full \
      fine-tunes, over grids of token budgets, learning rates, retain weights and seeds. Every grid point is a cell.

      EXAMPLES
        pdsweep plan sweeps/demo.yaml      what would be computed
        pdsweep run sweeps/demo.yaml       compute it, on every core of this machine
        pdsweep frontier demo.sqlite       how the methods compare so far
        pdsweep export --output results    the same as CSV, JSON and a plot
        pdsweep report --output report     the same as a page to read, with what it shows

      EXIT STATUS
        0  everything asked for was done
        1  a cell failed or was cancelled
        2  bad input, told in one line on standard error
      """,
    version: "pdsweep \(version)",
    subcommands: [
      PlanCommand.self, RunCommand.self, CoordinatorCommand.self, WorkerCommand.self, EngineCommand.self,
      StatusCommand.self, EventsCommand.self, PauseCommand.self, ResumeCommand.self, CancelCommand.self,
      RetryCommand.self, PrioritiseCommand.self, AuditCommand.self, FrontierCommand.self, ExportCommand.self,
      EditsCommand.self, RolloutsCommand.self, ReportCommand.self, ApplyCommand.self, GenerateCommand.self,
      BundleCommand.self, UnbundleCommand.self, KeysCommand.self, CorpusCommand.self, TokenizerCommand.self,
      PretrainCommand.self, DecomposeCommand.self, HarvestCommand.self, EvaluateCommand.self, ImportCommand.self,
      InspectCommand.self, TargetCommand.self, SimulateCommand.self, BenchCommand.self,
    ]
  )
}
