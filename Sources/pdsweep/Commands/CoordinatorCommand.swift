internal import ArgumentParser
internal import ZeroMQTransport

/// `pdsweep coordinator`.
struct CoordinatorCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "coordinator",
    abstract: "Hand the cells of a sweep out to workers that connect.",
    discussion: """
      The coordinator of `pdsweep run` without its workers: start those with `pdsweep worker`. They may come and go; \
      they fetch the sweep's files from here. A coordinator that was killed carries on when it is started again with the \
      same command: workers come back to it with what they run.

      With --keys, messages are encrypted, and only workers whose keys `pdsweep keys` lists in the folder are admitted; \
      a key that is revoked is cut off within a second. Without, messages are in the clear, and an address that other \
      machines can reach is refused unless --insecure says that the network is trusted.

      EXAMPLES
        pdsweep coordinator sweeps/demo.yaml --listen tcp://127.0.0.1:5555
        pdsweep coordinator sweeps/demo.yaml --listen 'tcp://*:5555' --keys keys

      EXIT STATUS
        0    every cell is completed
        1    a cell failed
        2    bad input: nothing was computed
        130  stopped by Ctrl-C (143 by SIGTERM)
      """
  )

  @OptionGroup var sweepFiles: SweepFilesOptions

  @Option(
    help: ArgumentHelp(
      "Where to listen: tcp://HOST:PORT, with * for all interfaces and port 0 for any that is free.",
      valueName: "address"))
  var listen: String

  @Option(
    help: ArgumentHelp(
      "Admit only the workers whose keys this folder lists, and encrypt what is said.", valueName: "folder"),
    completion: .directory)
  var keys: String?

  @Flag(help: "Listen in the clear on an address that other machines can reach.")
  var insecure = false

  @OptionGroup var options: SweepRunOptions

  func validate() throws {
    guard keys == nil || !insecure else {
      throw ValidationError("expected --keys or --insecure, found both; with keys, messages are never in the clear")
    }
  }

  private var security: CoordinatorSecurity {
    if let keys { return .keys(KeyFolder(keys)) }
    return insecure ? .insecure : .loopback
  }

  func run() async throws {
    let endpoint = try Endpoint(listen)
    let sweep = try SweepRun(sweepFiles, options)
    try await sweep.run(listeningOn: endpoint, security: security, with: .anyone)
  }
}
