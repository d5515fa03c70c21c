internal import ArgumentParser
internal import Foundation
internal import SweepWorker
internal import TensorKernels

/// `pdsweep engine`: the process that a worker starts for each of its slots.
struct EngineCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "engine",
    abstract: "Run the cells that a worker hands over on standard input.",
    discussion: """
      For `pdsweep worker`, which starts one for each of its slots. Ends when standard input does.
      """,
    shouldDisplay: false
  )

  func run() throws {
    Product.setThreads(1)
    // The worker waits for the engine to be ready, but not for ever.
    Product.takeWorkingMemory()
    try Self.serve { EngineRunner() }
  }

  /// Is the engine of the worker that started this process, until the worker wants no more; then the process ends.
  static func serve(_ makeRunner: @escaping @Sendable () -> any CellRunner) throws {
    // What anything else prints must not come between the frames.
    let output = dup(STDOUT_FILENO)
    guard output >= 0, dup2(STDERR_FILENO, STDOUT_FILENO) >= 0 else {
      throw EngineLaunchError(description: "standard output cannot be set aside (errno \(errno))")
    }
    let signature = EngineSignature(host: ProcessInfo.processInfo.hostName, version: PDSweep.version)
    try EngineServer(signature: signature, makeRunner: makeRunner)
      .serve(input: .standardInput, output: FileHandle(fileDescriptor: output, closeOnDealloc: true))
    endProcess(0)
  }
}
