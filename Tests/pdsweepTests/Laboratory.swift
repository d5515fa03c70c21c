import Foundation
import LanguageModel

/// A folder with all that a sweep needs, small enough for a debug build: a model of random weights with a decomposition
/// of one matrix, a tokenizer whose tokens are bytes, texts in three languages, and a sweep file.
final class Laboratory: Sendable {
  let folder: URL
  /// The sweep file, as it is named on the command line: relative to the folder.
  let sweepFile = "sweep.yaml"

  /// Steps that no test waits for the end of.
  static let endless = 30_000

  /// Makes the folder.
  ///
  /// - Parameter steps: steps of each fine-tune, and so how long a sweep takes.
  init(steps: Int = 4) throws {
    folder = FileManager.default.temporaryDirectory.appending(path: "pdsweep-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder.appending(path: "target"), withIntermediateDirectories: true)
    try Self.writeModel(to: folder.appending(path: "target"))
    try TokenizerTrainer().train(vocabularySize: 257, minimumFrequency: 1)
      .write(to: folder.appending(path: "target/tokenizer.json").path)
    for (name, sentences) in Self.sentences { try write(Self.text(sentences), to: name) }
    try write(Self.sweep(steps: steps), to: sweepFile)
  }

  /// Makes a folder with nothing in it, for a process that is to find nothing there.
  init(empty: Void) throws {
    folder = FileManager.default.temporaryDirectory.appending(path: "pdsweep-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
  }

  deinit {
    try? FileManager.default.removeItem(at: folder)
  }

  /// Writes a file of the folder.
  func write(_ text: String, to name: String) throws {
    try Data(text.utf8).write(to: folder.appending(path: name))
  }

  /// Reads a file of the folder.
  func read(_ name: String) throws -> String {
    try String(contentsOf: folder.appending(path: name), encoding: .utf8)
  }

  /// Replaces text in a file of the folder.
  func edit(_ name: String, _ old: String, _ new: String) throws {
    let text = try read(name)
    precondition(text.contains(old), "\(name) does not hold \(old)")
    try write(text.replacing(old, with: new), to: name)
  }

  /// The files of an export that are the same for the same results.
  func export(_ name: String) throws -> [String: String] {
    let files = ["cells.csv", "steps.csv", "frontier.csv", "frontier.json", "frontier.svg"]
    return Dictionary(uniqueKeysWithValues: try files.map { ($0, try read("\(name)/\($0)")) })
  }

  /// The files of a report that are the same for the same results: all in its folder but one.
  func report(_ name: String) throws -> [String: String] {
    let names = try FileManager.default.contentsOfDirectory(atPath: folder.appending(path: name).path)
    let same = names.filter { $0 != "provenance.csv" }
    return Dictionary(uniqueKeysWithValues: try same.map { ($0, try read("\(name)/\($0)")) })
  }

  // MARK: The sweep

  private static func sweep(steps: Int) -> String {
    """
    sweep: tiny
    target: target
    decomposition: decomposition.safetensors
    corpora:
      forget: {german: de.txt}
      retain: {english: en.txt}
      observe: {french: fr.txt}
    evaluation: {tokens_per_corpus: 64, context: 32}
    training: {forget_loss: neg-ce, retain_loss: kl, retain_tokens: 32}
    grid:
      token_budget: [1, 4, 16]
      seed: [0, 1]
    methods:
      one-scalar:
        edit: prefactors
        subcomponents: ["h.1.mlp.c_fc:3"]
        grid: {learning_rate: [0.1], retain_weight: [1], steps: [\(steps)]}
      lora: {edit: lora, rank: 1, sites: all, grid: {learning_rate: [1e-2], retain_weight: [1], steps: [\(steps)]}}
      scan:
        edit: prefactors
        subcomponents: ["h.1.mlp.c_fc:3"]
        scan: {alpha: [-4, 0, 4]}
    goal: {removal: 6, retention_cost_at_most: 0.5}

    """
  }

  /// Cells of the sweep.
  static let cells = 15

  // MARK: The model

  static let configuration = ModelConfiguration(
    blockSize: 64, context: 64, vocabularySize: 257, layers: 2, heads: 2, keyValueHeads: 2, width: 32,
    intermediate: 64)

  private static func writeModel(to folder: URL) throws {
    let configuration = Self.configuration
    var generator = SplitMix64(seed: 20)
    func tensor(_ name: String, _ shape: [Int], scale: Float) -> SafetensorsFile.Content {
      let elements = (0..<shape.reduce(1, *)).map { _ in Float.random(in: -scale...scale, using: &generator) }
      return SafetensorsFile.Content(name: name, shape: shape, elements: elements)
    }
    let ones = [Float](repeating: 1, count: configuration.width)
    var tensors = [
      tensor("wte.weight", [configuration.vocabularySize, configuration.width], scale: 0.5),
      SafetensorsFile.Content(name: "ln_f.weight", shape: [configuration.width], elements: ones),
    ]
    for layer in 0..<configuration.layers {
      for norm in ["rms_1", "rms_2"] {
        tensors.append(.init(name: "h.\(layer).\(norm).weight", shape: [configuration.width], elements: ones))
      }
    }
    for site in configuration.sites {
      let shape = configuration.shape(of: site)
      tensors.append(tensor("\(site).weight", [shape.outputs, shape.inputs], scale: 0.3))
    }
    try SafetensorsFile.write(tensors, to: folder.appending(path: "model.safetensors").path)
    try SafetensorsFile.write(
      [
        tensor("h.1.mlp.c_fc.V", [configuration.width, 8], scale: 1),
        tensor("h.1.mlp.c_fc.U", [8, configuration.intermediate], scale: 1),
      ], to: folder.appending(path: "decomposition.safetensors").path)
    try Data(
      """
      model_type: LlamaSimpleMLP
      block_size: 64
      n_ctx: 64
      vocab_size: 257
      n_layer: 2
      n_head: 2
      n_key_value_heads: 2
      n_embd: 32
      n_intermediate: 64
      mlp_bias: false
      attn_bias: false
      use_grouped_query_attention: true

      """.utf8
    ).write(to: folder.appending(path: "model_config.yaml"))
  }

  // MARK: The texts

  private static func text(_ sentences: [String]) -> String {
    (0..<240).map { line in
      sentences[line % sentences.count].replacing("#", with: "\(1000 + 37 * line)") + "\n"
    }.joined()
  }

  private static let sentences: [String: [String]] = [
    "de.txt": [
      "Im Winter # trug die Wirtin jeden Morgen frisches Holz in die Stube, bevor die ersten Gäste kamen.",
      "Der Uhrmacher zählte # kleine Räder und legte sie nach ihrer Größe auf ein weißes Tuch.",
      "Auf der Brücke Nummer # wartete ein Kind mit einem Korb voller Äpfel auf den langsamen Zug.",
      "Nach # Schritten über die Wiese fanden wir endlich den Brunnen, von dem der Müller gesprochen hatte.",
    ],
    "en.txt": [
      "In the winter of # the landlady carried fresh wood into the room before the first guests arrived.",
      "The watchmaker counted # little wheels and laid them out by size on a white cloth.",
      "On bridge number # a child with a basket full of apples was waiting for the slow train.",
      "After # steps across the meadow we found at last the well that the miller had spoken of.",
    ],
    "fr.txt": [
      "En hiver # la patronne portait chaque matin du bois frais dans la salle avant les premiers clients.",
      "L'horloger compta # petites roues et les posa par taille sur un linge blanc.",
      "Sur le pont numéro # un enfant avec un panier plein de pommes attendait le train lent.",
      "Après # pas à travers le pré nous trouvâmes enfin le puits dont le meunier avait parlé.",
    ],
  ]
}
