internal import ArgumentParser
internal import SweepCore

/// `pdsweep bench`.
struct BenchCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "bench",
    abstract: "Measure how fast pdsweep is on this machine.",
    subcommands: [
      EngineBenchCommand.self, ArtefactBenchCommand.self, SchedulerBenchCommand.self, FrontierBenchCommand.self,
      CoordinatorBenchCommand.self, BenchPartCommand.self,
    ]
  )
}

/// `pdsweep bench engine`.
struct EngineBenchCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "engine",
    abstract: "Measure the engine on a model of 67 million parameters.",
    discussion: """
      The model has the published shape (4 layers, width 768, 6 heads, MLP 3072, vocabulary 50,277, context 512) and \
      random weights. Prints one line of JSON; figures are medians over the repetitions, after one that does not count:

        eval_tokens_per_s   forward pass and cross-entropy on 8 x 512 tokens
        scalar_step_s       one step of one prefactor at h.2.mlp.down_proj on 4 forget
                            + 256 retain tokens
        lora_rank1_step_s   one step of a rank-1 LoRA at all sites on the same tokens
        lora_rank4_step_s   the same of rank 4
        gemm_peak_gflops    the BLAS's best rate in the same run
        peak_rss_mib        peak resident memory of the process
        threads             threads of the BLAS

      Measure a release build.

      EXAMPLES
        pdsweep bench engine
        pdsweep bench engine --threads 2 --repetitions 9
      """
  )

  @Option(help: "Threads of the BLAS. A sweep's workers use one each.")
  var threads = 1

  @Option(help: "Measurements of each figure.")
  var repetitions = 5

  func validate() throws {
    guard (1...256).contains(threads) else {
      throw ValidationError("expected --threads from 1 to 256, found \(threads)")
    }
    guard (1...1000).contains(repetitions) else {
      throw ValidationError("expected --repetitions from 1 to 1000, found \(repetitions)")
    }
  }

  func run() throws {
    var benchmark = EngineBenchmark(threads: threads, repetitions: repetitions)
    try Terminal.write(json: benchmark.run())
  }
}

/// `pdsweep bench artefacts`.
struct ArtefactBenchCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "artefacts",
    abstract: "Measure how fast workers fetch a file from a coordinator.",
    discussion: """
      Coordinator and workers are in one process and talk over loopback; the file is in the page cache. Each worker \
      has a cache of its own, in which the file stands in the end, checked by its SHA-256. Prints one line of JSON:

        mb_per_s                  millions of bytes a second, all workers together,
                                  from connecting to the cell's end
        heartbeat_round_trip_ms   from a heartbeat to its answer meanwhile (median,
                                  p99, longest)

      Measure a release build.

      EXAMPLES
        pdsweep bench artefacts
        pdsweep bench artefacts --workers 8 --curve
      """
  )

  @Option(help: "Workers that fetch at the same time.")
  var workers = 1

  @Option(help: "Millions of bytes that each fetches.")
  var megabytes = 1000

  @Flag(help: "Encrypt.")
  var curve = false

  func validate() throws {
    guard (1...256).contains(workers) else {
      throw ValidationError("expected --workers from 1 to 256, found \(workers)")
    }
    guard (1...100_000).contains(megabytes) else {
      throw ValidationError("expected --megabytes from 1 to 100000, found \(megabytes)")
    }
  }

  func run() async throws {
    let benchmark = ArtefactBenchmark(workers: workers, megabytes: megabytes, isEncrypted: curve)
    try Terminal.write(json: try await benchmark.run())
  }
}
