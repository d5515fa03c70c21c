internal import ContentHash
internal import Foundation
internal import LanguageModel
internal import SweepCore
internal import SweepReport

/// The content of `edit.json`: an edit, the model that it is for, and what was measured of it. Keys are sorted and in
/// snake case; equal edits give equal bytes.
struct EditFile: Codable {
  static let fileName = "edit.json"
  static let schema = "pdsweep.edit/1"

  /// Counts changes that readers of the file would notice.
  var schema = Self.schema
  /// The sweep that it is from.
  let sweep: String
  /// Which edit, and what the sweep measured of it, nats.
  let edit: EditRecord
  /// The model that it is for.
  let target: Target
  /// What every window began with.
  let start: String
  /// Scaled subcomponents; absent from other edits.
  let prefactors: Prefactors?
  /// The LoRA whose factors lie beside this file, in PEFT's layout; absent from other edits.
  let lora: LoRA?
  /// The full fine-tune whose changes lie beside this file; absent from other edits.
  let full: Full?

  /// The SHA-256 of the target's files.
  struct Target: Codable, Equatable {
    let weights: SHA256Digest
    let configuration: SHA256Digest
    let tokenizer: SHA256Digest
  }

  struct Prefactors: Codable {
    let decomposition: File
    let subcomponents: [Subcomponent]
  }

  struct File: Codable {
    /// Its name in the target folder.
    let name: String
    let sha256: SHA256Digest
  }

  /// W + (alpha - 1) U[c] (x) V[:, c].
  struct Subcomponent: Codable {
    let name: String
    let alpha: Double
  }

  /// W + scale / rank B A.
  struct LoRA: Codable {
    let rank: Int
    let scale: Double
    let sites: [String]
  }

  /// W + ΔW.
  struct Full: Codable {
    let sites: [String]
  }

  /// What kind of edit it is: as sweep files call it.
  var kind: String {
    if prefactors != nil { return "prefactors" }
    return lora == nil ? "full" : "lora"
  }

  /// Describes an edit that was trained again.
  init(_ replayed: SweepReplay.Replayed, of replay: SweepReplay) {
    sweep = replay.sweep.name
    edit = replayed.record
    start = replayed.cell.start
    let reference = replayed.cell.target
    target = Target(
      weights: reference.weights, configuration: reference.configuration, tokenizer: reference.tokenizer)
    switch replayed.edit {
    case let edit as PrefactorEdit:
      guard let digest = reference.decomposition, let name = replay.fileName(digest) else {
        preconditionFailure("subcomponents of no decomposition")
      }
      prefactors = Prefactors(
        decomposition: File(name: name, sha256: digest),
        subcomponents: zip(edit.names, edit.alphas).map { Subcomponent(name: "\($0)", alpha: $1) })
      (lora, full) = (nil, nil)
    case let edit as LoRAEdit:
      (prefactors, full) = (nil, nil)
      lora = LoRA(rank: edit.rank, scale: edit.scale, sites: edit.sites.map(\.description))
    case let edit as FullEdit:
      (prefactors, lora) = (nil, nil)
      full = Full(sites: edit.sites.map(\.description))
    default:
      preconditionFailure("an edit of a kind that no cell asks for")
    }
  }

  // MARK: - The file

  /// JSON as edits are written.
  static func bytes(of value: some Encodable) -> [UInt8] {
    let encoder = JSONEncoder()
    encoder.keyEncodingStrategy = .convertToSnakeCase
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    do {
      return Array(try encoder.encode(value)) + [UInt8(ascii: "\n")]
    } catch {
      preconditionFailure("an edit holds nothing that JSON does not: \(error)")
    }
  }

  /// Reads a file.
  ///
  /// - Throws: an `InputFileError` for one that cannot be read or is something else.
  init(path: String) throws(InputFileError) {
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    let advice = "name a folder that `pdsweep edits` has written"
    do {
      self = try decoder.decode(Self.self, from: Data(contentsOf: URL(fileURLWithPath: path)))
    } catch is DecodingError {
      throw InputFileError(
        file: path, problem: "expected an edit of `pdsweep edits`, found other content", advice: advice)
    } catch {
      throw InputFileError(file: path, problem: "cannot read the file: \(error.localizedDescription)", advice: advice)
    }
    guard schema == Self.schema else {
      throw InputFileError(file: path, problem: "expected the schema \(Self.schema), found \(schema.printable)")
    }
    guard [prefactors != nil, lora != nil, full != nil].count(where: \.self) == 1 else {
      throw InputFileError(
        file: path, problem: "expected prefactors, a lora or a full fine-tune, found none or several")
    }
  }
}
