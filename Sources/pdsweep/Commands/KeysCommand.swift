internal import ArgumentParser
internal import Foundation
internal import ZeroMQTransport

/// `pdsweep keys`.
struct KeysCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "keys",
    abstract: "Say which workers a coordinator admits.",
    discussion: """
      A coordinator that is started with --keys FOLDER admits the workers whose keys the folder lists, and nobody else; \
      what is said between them is encrypted (CURVE). Each worker has one file, its key, which also tells it the real \
      coordinator from others. Several workers may share a key, and are then cut off together.

      Keys are text files that only their owner can read; a key file that others can read is refused. They never stand \
      on a command line.

      EXAMPLES
        pdsweep keys new anna                 makes keys/anna.key, to be carried to
                                              the worker's machine
        pdsweep coordinator sweeps/demo.yaml --listen 'tcp://*:5555' --keys keys
        pdsweep worker --connect tcp://coordinator.example:5555 --key anna.key
        pdsweep keys revoke anna              cuts anna off within a second
      """,
    subcommands: [NewKeyCommand.self, ListKeysCommand.self, RevokeKeyCommand.self]
  )
}

/// The folder that keys are kept in.
struct KeyFolderOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp("The folder that the coordinator's keys are kept in.", valueName: "folder"),
    completion: .directory)
  var keys = "keys"

  var folder: KeyFolder { KeyFolder(keys) }
}

/// `pdsweep keys new`.
struct NewKeyCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "new",
    abstract: "Make a key for a worker and admit it.",
    discussion: """
      The first time, the folder and the coordinator's own key are made as well. A coordinator that runs admits the new \
      key within a second.
      """
  )

  @Argument(help: "The worker's name: letters, digits, hyphens, underscores and dots.")
  var name: String

  @OptionGroup var options: KeyFolderOptions

  func run() throws {
    let file = try options.folder.add(WorkerKeyName(name), at: Date())
    try Terminal.write(
      """
      Made \(file), the key of worker \(name).
      Carry it to the worker's machine, and let nobody else read it:

        pdsweep worker --connect tcp://HOST:PORT --key \(URL(fileURLWithPath: file).lastPathComponent)

      The coordinator does not need the file: once it is carried over, remove it here.

      """)
  }
}

/// `pdsweep keys list`.
struct ListKeysCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "list", abstract: "List the workers that are admitted.")

  @OptionGroup var options: KeyFolderOptions

  @Flag(help: "Print one JSON object.")
  var json = false

  func run() throws {
    let admitted = try options.folder.admitted()
    if json {
      try Terminal.write(json: KeyListDocument(admitted))
    } else {
      let width = admitted.map { $0.name.description.utf8.count }.max() ?? 0
      for key in admitted {
        let name = key.name.description.padding(toLength: width, withPad: " ", startingAt: 0)
        try Terminal.write("\(name)  \(key.publicKey)  \(key.made)\n")
      }
    }
  }
}

/// `pdsweep keys revoke`.
struct RevokeKeyCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "revoke",
    abstract: "Take a worker's key back.",
    discussion: "A coordinator that runs cuts the worker off within a second; its cells run elsewhere."
  )

  @Argument(help: "The worker's name.")
  var name: String

  @OptionGroup var options: KeyFolderOptions

  func run() throws {
    try options.folder.revoke(WorkerKeyName(name))
    try Terminal.write("Revoked the key of worker \(name).\n")
  }
}

/// What `keys list --json` prints.
private struct KeyListDocument: Encodable {
  struct Key: Encodable {
    let name: String
    let publicKey: String
    let made: String

    enum CodingKeys: String, CodingKey {
      case name, made
      case publicKey = "public_key"
    }
  }

  let workers: [Key]

  init(_ admitted: [AdmittedKey]) {
    workers = admitted.map { Key(name: $0.name.description, publicKey: $0.publicKey.description, made: $0.made) }
  }
}
