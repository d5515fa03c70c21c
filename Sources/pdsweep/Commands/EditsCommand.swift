internal import ArgumentParser
internal import Foundation
internal import SweepCore
internal import SweepReport

/// `pdsweep edits`.
struct EditsCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "edits",
    abstract: "Write the winning edits of a sweep as files.",
    discussion: """
      A store holds what edits came to, not the edits. A cell is a pure function of its specification, so its edit is \
      trained again, without measuring anything, and held against what is recorded: the losses of every step, the \
      alphas or the norms of the changes have to be equal to the last bit.

      All choices are made on the validation split. Taken are, of every method and token budget, the best edit:

        reaches-goal      of those that reach the sweep's goal, the one that costs the
                          least
        removes-most      where none does, the one that removes most within the
                          goal's retention cost
        costs-least       where all cost more, the one that costs the least

      and what tokens-to-target chose for each seed (tokens-to-target). With --cell only the edits of those cells. \
      Writes a folder:

        edits.json                  all edits with their readings, and why each was
                                    chosen
        NAME/edit.json              the edit: for prefactors the subcomponents with
                                    their alphas; the SHA-256 of the model and
                                    decomposition; what was measured, nats
        NAME/full.safetensors       of a full fine-tune: the change of each matrix
        NAME/adapter_config.json    of a LoRA: its factors, as PEFT reads them
        NAME/adapter_model.safetensors

      The same results give the same bytes. The folder appears as a whole; it takes the place of an older one only if \
      that is one of edits too. Prints the names of the edits.

      EXAMPLES
        pdsweep edits demo.sqlite --corpora corpora --output edits
        pdsweep edits demo.sqlite --corpora corpora --cell 12 --output edits
        pdsweep generate --target reference --edit edits/NAME --prompt "Der Zug"

      EXIT STATUS
        0    the edits are written
        1    an edit came out otherwise than it is recorded
        2    bad input
        130  stopped by Ctrl-C (143 by SIGTERM); nothing is written
      """
  )

  @OptionGroup var replay: ReplayOptions

  @Option(
    name: .shortAndLong, help: ArgumentHelp("The folder to write into.", valueName: "folder"),
    completion: .directory)
  var output: String

  @Flag(help: "Print the content of edits.json instead of names.")
  var json = false

  func run() async throws {
    let display = ProgressDisplay(style: replay.quiet || json ? .silent : .suitable)
    do {
      let index = try await InterruptibleWork.run { [self] isCancelled in
        let sweep = try replay.sweep(choosing: \.winners)
        try EditFolder.check(URL(fileURLWithPath: output))
        let edits = try sweep.train(on: sweep.load(), display: display, isCancelled: isCancelled)
        return try EditFolder.write(edits, of: sweep, to: URL(fileURLWithPath: output))
      }
      if json {
        try Terminal.write(String(decoding: EditFile.bytes(of: index), as: UTF8.self))
      } else {
        let folder = URL(fileURLWithPath: output, isDirectory: true)
        try Terminal.write(
          index.edits.map { entry in
            "\(folder.appendingPathComponent(entry.folder).relativePath)  "
              + "\(entry.edit.chosenFor.joined(separator: ", "))\n"
          }.joined())
      }
    } catch let fault as ReplayFault {
      Terminal.writeError("pdsweep: error: \(fault)")
      throw ExitCode(1)
    }
  }
}
