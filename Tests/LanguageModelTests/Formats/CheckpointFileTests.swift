import Foundation
import TensorKernels
import Testing

@testable import LanguageModel

/// Checkpoints that PyTorch wrote (`Golden/pytorch/make.py`), and some that it did not.
@Suite("Checkpoints")
struct CheckpointFileTests {
  private let folder: TemporaryFolder

  init() throws {
    folder = try TemporaryFolder()
  }

  static func golden(_ name: String) -> String {
    URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .appendingPathComponent("Golden/pytorch/\(name)").path
  }

  private static func numbers(_ tensor: CheckpointFile.Tensor, of file: CheckpointFile) throws -> [Float] {
    var pieces = try file.pieces(of: tensor)
    var numbers: [Float] = []
    while let piece = try pieces.next() {
      #expect(piece.count <= CheckpointPieces.size)
      numbers += piece
    }
    return numbers
  }

  private static func failure(_ body: () throws -> Void) throws -> InputFileError? {
    do {
      try body()
      return nil
    } catch let error as InputFileError {
      #expect(!error.description.contains("\n"))
      return error
    }
  }

  @Test("of torch.save hold what PyTorch put there, in any layout and protocol", arguments: 2...5)
  func views(_ pickleProtocol: Int) throws {
    let file = try CheckpointFile(path: Self.golden("views-\(pickleProtocol).pth"))
    try file.requireIntact(file.tensors)
    let expected = try SafetensorsFile(path: Self.golden("views.safetensors"))
    let real = file.tensors.filter { $0.type.real != nil }
    #expect(Set(real.map(\.name)) == Set(expected.tensors.map(\.name)))
    for tensor in real {
      let truth = try #require(expected[tensor.name])
      #expect(tensor.shape == truth.shape, "\(tensor.name)")
      #expect(try Self.numbers(tensor, of: file) == expected.floats(truth), "\(tensor.name)")
    }
    // What holds no real numbers is there, but cannot be read.
    let others = file.tensors.filter { $0.type.real == nil }
    #expect(Set(others.map(\.name)) == ["numbers", "truths"])
    for tensor in others { #expect(try Self.failure { _ = try Self.numbers(tensor, of: file) } != nil) }
  }

  @Test("of safetensors are read by the same door")
  func safetensors() throws {
    let path = Self.golden("views.safetensors")
    let (file, expected) = (try CheckpointFile(path: path), try SafetensorsFile(path: path))
    #expect(file.tensors.map(\.name) == expected.tensors.map(\.name))
    for (tensor, truth) in zip(file.tensors, expected.tensors) {
      #expect(try Self.numbers(tensor, of: file) == expected.floats(truth))
    }
  }

  @Test("of more than a piece are read whole, also against the grain")
  func pieces() throws {
    let (rows, columns) = (1100, 1000)
    let elements = (0..<rows * columns).map { Float($0) }
    let bytes = elements.flatMap { element in (0..<4).map { UInt8(truncatingIfNeeded: element.bitPattern >> (8 * $0)) }
    }
    for (shape, strides) in [([rows, columns], [columns, 1]), ([columns, rows], [1, columns])] {
      let pickle = PickleProgram.dictionary("w") {
        $0.tensor("0", count: rows * columns, shape: shape, strides: strides)
      }
      let file = try CheckpointFile(
        path: folder.write("a.pth", ZipBuilder(pickle: pickle, storages: ["0": bytes]).archive))
      let numbers = try Self.numbers(try #require(file["w"]), of: file)
      #expect(numbers.count == elements.count)
      let isRight = numbers.indices.allSatisfy { index in
        numbers[index] == elements[index / shape[1] * strides[0] + index % shape[1] * strides[1]]
      }
      #expect(isRight, "strides \(strides)")
    }
  }

  @Test("that run a command, are of the old form, or hold no tensors are refused with the reason")
  func refusals() throws {
    func refusal(_ path: String) throws -> String {
      try #require(try Self.failure { _ = try CheckpointFile(path: path) }).description
    }
    let hostile = try refusal(Self.golden("hostile.pth"))
    #expect(hostile.contains("data.pkl, byte") && hostile.contains("a reference to \"posix.system\""), "\(hostile)")
    let legacy = try refusal(Self.golden("legacy.pth"))
    #expect(legacy.contains("before version 1.6") && legacy.contains("torch.save"), "\(legacy)")
    func zip(_ builder: ZipBuilder) throws -> String { try refusal(folder.write("a.pth", builder.archive)) }
    let tensor = PickleProgram.dictionary("w") { $0.tensor("0", count: 2, shape: [2], strides: [1]) }
    #expect(try zip(ZipBuilder(pickle: tensor)).contains("no such entry"))
    #expect(try zip(ZipBuilder(pickle: tensor, storages: ["0": [1, 2, 3]])).contains("expected 2 numbers of F32"))
    // Storages lie nowhere else, whatever they are called.
    let elsewhere = PickleProgram.dictionary("w") { $0.tensor("../data.pkl", count: 2, shape: [2], strides: [1]) }
    #expect(try zip(ZipBuilder(pickle: elsewhere)).contains("no such entry"))
    #expect(
      try zip(ZipBuilder(pickle: [0x80, 2, 0x4E, 0x2E])).contains("expected a dictionary of tensors, found None"))
    var builder = ZipBuilder(pickle: tensor, storages: ["0": Array(repeating: 0, count: 8)])
    builder.entries.append(.init(name: "x/byteorder", bytes: Array("big".utf8)))
    #expect(try zip(builder).contains("byteorder"))
    builder = ZipBuilder(pickle: tensor, storages: ["0": Array(repeating: 0, count: 8)])
    builder.entries.append(.init(name: "y/data.pkl", bytes: tensor))
    #expect(try zip(builder).contains("one entry NAME/data.pkl, found 2"))
  }

  @Test("with names that pile up are refused in time")
  func names() throws {
    // Each dictionary holds the next a hundred times: a million million names at the end.
    var program = PickleProgram()
    program.tensor("0", count: 0, shape: [0], strides: [1])
    program.add(0x94)
    for level in 0..<6 {
      program.add(UInt8(ascii: "}"), UInt8(ascii: "("))
      for key in 0..<100 {
        program.text("\(key)")
        program.add(UInt8(ascii: "h"), UInt8(level))
      }
      program.add(UInt8(ascii: "u"), 0x94)
    }
    // The others are kept in a tuple.
    var last: [UInt8] = [0x80, 2, UInt8(ascii: "}")] + Self.key("a")
    last.append(UInt8(ascii: "("))
    last += program.bytes.dropFirst(2)
    last += [UInt8(ascii: "t"), UInt8(ascii: "s")]
    last += Self.key("b")
    last += [UInt8(ascii: "h"), 6, UInt8(ascii: "s"), UInt8(ascii: ".")]
    let path = try folder.write("a.pth", ZipBuilder(pickle: last, storages: ["0": []]).archive)
    let error = try #require(try Self.failure { _ = try CheckpointFile(path: path) })
    #expect(error.problem.contains("values in dictionaries"), "\(error.description)")
  }

  private static func key(_ text: String) -> [UInt8] {
    var program = PickleProgram()
    program.text(text)
    return Array(program.bytes.dropFirst(2))
  }

  @Test("whose bytes have changed anywhere are refused, or hold numbers still")
  func mutations() throws {
    var generator = SplitMix64(seed: 61)
    for name in ["views-2.pth", "views-5.pth", "model.pt"] {
      let whole = try Array(Data(contentsOf: URL(fileURLWithPath: Self.golden(name))))
      for _ in 0..<500 {
        var bytes = whole
        for _ in 0..<Int.random(in: 1...3, using: &generator) {
          let place = Int.random(in: 0..<bytes.count, using: &generator)
          bytes[place] ^= UInt8.random(in: 1...255, using: &generator)
        }
        let path = try folder.write("a.pth", bytes)
        _ = try Self.failure {
          let file = try CheckpointFile(path: path)
          try file.requireIntact(file.tensors)
          for tensor in file.tensors where tensor.type.real != nil { _ = try Self.numbers(tensor, of: file) }
        }
      }
    }
  }

  /// Checksums would hide these from the machine.
  @Test("whose pickles have changed anywhere, under a right checksum, are refused or read")
  func mutatedPickles() throws {
    var generator = SplitMix64(seed: 62)
    let opcodes = (0...255).map { UInt8($0) }.filter { PickleOpcode(rawValue: $0) != nil }
    for name in ["views-2.pth", "views-4.pth", "hostile.pth"] {
      let file = try MappedFile(path: Self.golden(name))
      let pickle = try #require(try ZipArchive(file).entries.first { $0.name.hasSuffix("data.pkl") })
      let whole = file.bytes(in: pickle.bytes)
      var ends = (read: 0, refused: 0)
      for trial in 0..<1000 {
        var bytes = whole
        for _ in 0..<Int.random(in: 1...4, using: &generator) {
          let place = Int.random(in: 0..<bytes.count, using: &generator)
          switch trial % 4 {
          case 0: bytes[place] ^= UInt8.random(in: 1...255, using: &generator)
          case 1: bytes[place] = opcodes.randomElement(using: &generator) ?? 0
          case 2: bytes.insert(opcodes.randomElement(using: &generator) ?? 0, at: place)
          case _: bytes.removeSubrange(place..<min(place + 3, bytes.count))
          }
          if bytes.isEmpty { bytes = [0] }
        }
        do {
          _ = try PickleMachine.run(bytes)
          ends.read += 1
        } catch {
          ends.refused += 1
        }
      }
      #expect(ends.refused > 300, "\(name): \(ends)")
    }
  }

  // MARK: Models and decompositions

  private static func configuration() throws -> ModelConfiguration {
    try ModelConfiguration(file: golden("model_config.yaml"))
  }

  @Test("of published layout become a model and its decomposition")
  func published() throws {
    let configuration = try Self.configuration()
    let model = try CheckpointWeights(CheckpointFile(path: Self.golden("model.pt")), configuration: configuration)
    #expect(model.others.isEmpty)
    let path = folder.path("model.safetensors")
    try model.write(to: path)
    let (found, truth) = (try SafetensorsFile(path: path), try SafetensorsFile(path: Self.golden("model.safetensors")))
    #expect(Set(found.tensors.map(\.name)) == Set(truth.tensors.map(\.name)))
    for tensor in truth.tensors {
      #expect(try found.floats(#require(found[tensor.name])) == truth.floats(tensor), "\(tensor.name)")
    }
    _ = try TargetModel(checkpoint: path, configuration: configuration)

    let file = try CheckpointFile(path: Self.golden("decomposition.pth"))
    let subcomponents = try CheckpointSubcomponents(file, configuration: configuration)
    #expect(subcomponents.sites.map(\.site) == configuration.sites)
    #expect(subcomponents.sites.map(\.count) == [3, 5, 8, 9, 14, 6, 3, 5, 8, 9, 14, 6])
    let parts = folder.path("decomposition.safetensors")
    let skipped = try subcomponents.write(to: parts, of: model)
    // The model beside the subcomponents is the model, so only the network is left.
    #expect(skipped.count == 7 && skipped.allSatisfy { $0.name.hasPrefix("ci_fn._global_ci_fn.") })
    let written = try Array(Data(contentsOf: URL(fileURLWithPath: parts)))
    let expected = try SafetensorsFile(path: Self.golden("subcomponents.safetensors"))
    let decomposition = try SafetensorsFile(path: parts)
    #expect(decomposition.tensors.map(\.name) == expected.tensors.map(\.name))
    for tensor in expected.tensors {
      #expect(try decomposition.floats(#require(decomposition[tensor.name])) == expected.floats(tensor))
    }
    // Of safetensors with plain names the same comes out, byte for byte.
    let plain = try CheckpointSubcomponents(
      CheckpointFile(path: Self.golden("subcomponents.safetensors")), configuration: configuration)
    #expect(try plain.write(to: folder.path("again.safetensors"), of: model).isEmpty)
    #expect(try Array(Data(contentsOf: URL(fileURLWithPath: folder.path("again.safetensors")))) == written)
    // A model can be taken from where it stands beside its decomposition.
    let beside = try CheckpointWeights(file, configuration: configuration)
    try beside.write(to: folder.path("beside.safetensors"))
    #expect(
      try Data(contentsOf: URL(fileURLWithPath: folder.path("beside.safetensors")))
        == Data(contentsOf: URL(fileURLWithPath: path)))
  }

  @Test("of torch.save whose numbers have changed are refused when these are copied, and no sooner")
  func changedNumbers() throws {
    let configuration = try Self.configuration()
    let model = try CheckpointWeights(CheckpointFile(path: Self.golden("model.pt")), configuration: configuration)
    let whole = try Array(Data(contentsOf: URL(fileURLWithPath: Self.golden("decomposition.pth"))))
    let file = try CheckpointFile(path: Self.golden("decomposition.pth"))
    for (name, isCopied) in [
      ("_components.h-1-mlp-c_fc.U", true), ("target_model.h.0.rms_1.weight", true),
      ("ci_fn._global_ci_fn.0.weight", false),
    ] {
      var bytes = whole
      bytes[try #require(file[name]).start] ^= 1
      let changed = try CheckpointFile(path: folder.write("changed.pth", bytes))
      let subcomponents = try CheckpointSubcomponents(changed, configuration: configuration)
      let error = try Self.failure {
        _ = try subcomponents.write(to: folder.path("parts-\(UUID().uuidString).safetensors"), of: model)
      }
      #expect((error != nil) == isCopied, "\(name)")
      if let error { #expect(error.problem.contains("expected the CRC-32"), "\(error.description)") }
    }
  }

  /// A copy of a golden safetensors file with some tensors changed, added or taken away.
  private func changed(_ name: String, _ change: (inout [SafetensorsFile.Content]) -> Void) throws -> CheckpointFile {
    let file = try SafetensorsFile(path: Self.golden(name))
    var contents = try file.tensors.map {
      SafetensorsFile.Content(name: $0.name, shape: $0.shape, elements: try file.floats($0))
    }
    change(&contents)
    let path = folder.path("changed.safetensors")
    try SafetensorsFile.write(contents, to: path)
    return try CheckpointFile(path: path)
  }

  @Test("of models that are not what their configuration says are refused with the reason")
  func wrongModels() throws {
    let configuration = try Self.configuration()
    func refusal(_ change: (inout [SafetensorsFile.Content]) -> Void) throws -> String {
      let file = try changed("model.safetensors", change)
      let output = folder.path("model-\(UUID().uuidString).safetensors")
      let error = try Self.failure {
        try CheckpointWeights(file, configuration: configuration).write(to: output)
      }
      return try #require(error).description
    }
    #expect(try refusal { $0.removeAll { $0.name == "wte.weight" } }.contains("found none among"))
    #expect(try refusal { $0.removeAll { $0.name == "h.1.rms_2.weight" } }.contains("found no such tensor"))
    #expect(
      try refusal { contents in
        contents.append(.init(name: "ema.wte.weight", shape: [1], elements: [1]))
      }.contains("found those of 2"))
    #expect(
      try refusal { contents in
        contents.append(
          .init(name: "lm_head.weight", shape: [257, 8], elements: Array(repeating: 1, count: 257 * 8)))
      }.contains("only models with a tied embedding"))
    func replace(_ name: String, _ contents: inout [SafetensorsFile.Content], _ shape: [Int], _ element: Float) {
      contents.removeAll { $0.name == name }
      contents.append(.init(name: name, shape: shape, elements: Array(repeating: element, count: shape.reduce(1, *))))
    }
    let turned = try refusal { replace("h.0.mlp.c_fc.weight", &$0, [8, 12], 1) }
    #expect(turned.contains("expected shape [12, 8] by the model's configuration, found [8, 12], transposed"))
    let infinite = try refusal { replace("ln_f.weight", &$0, [8], .infinity) }
    #expect(infinite.contains("ln_f.weight[0]: expected a finite number, found inf"))
  }

  @Test("of decompositions that do not fit the model are refused with the reason")
  func wrongDecompositions() throws {
    let configuration = try Self.configuration()
    let model = try CheckpointWeights(CheckpointFile(path: Self.golden("model.pt")), configuration: configuration)
    func refusal(
      _ change: (inout [SafetensorsFile.Content]) -> Void
    ) throws -> String {
      let file = try changed("subcomponents.safetensors", change)
      let error = try Self.failure {
        _ = try CheckpointSubcomponents(file, configuration: configuration)
          .write(to: folder.path("parts-\(UUID().uuidString).safetensors"), of: model)
      }
      return try #require(error).description
    }
    func zeros(_ name: String, _ shape: [Int]) -> SafetensorsFile.Content {
      .init(name: name, shape: shape, elements: Array(repeating: 0, count: shape.reduce(1, *)))
    }
    #expect(try refusal { $0 = [zeros("w", [1])] }.contains("found none among 1"))
    #expect(
      try refusal { $0.removeAll { $0.name == "h.0.mlp.c_fc.U" } }.contains("h.0.mlp.c_fc.U: expected this tensor"))
    #expect(
      try refusal { $0.append(zeros("_components.h-9-mlp-c_fc.V", [8, 1])) }.contains("expected a layer below 2"))
    #expect(try refusal { $0.append(zeros("_components.h-0-mlp-c_fc.V", [8, 1])) }.contains("under two names"))
    let turned = try refusal { contents in
      contents.removeAll { $0.name.hasPrefix("h.0.mlp.c_fc.") }
      contents += [zeros("h.0.mlp.c_fc.V", [14, 8]), zeros("h.0.mlp.c_fc.U", [14, 12])]
    }
    #expect(
      turned.contains("expected shape [8, 14] by the model's h.0.mlp.c_fc of [12, 8], found [14, 8], transposed"))
    // Names as V and U change places: the matrix's inputs are taken for its outputs.
    let exchanged = try refusal { contents in
      contents.removeAll { $0.name.hasPrefix("h.0.mlp.c_fc.") }
      contents += [zeros("h.0.mlp.c_fc.V", [12, 14]), zeros("h.0.mlp.c_fc.U", [14, 8])]
    }
    #expect(exchanged.contains("expected shape [any, 12]"), "\(exchanged)")
    // Another model stands beside the subcomponents.
    let foreign = try refusal { contents in
      contents += [zeros("target_model.wte.weight", [257, 8])]
    }
    #expect(foreign.contains("target_model.wte.weight: expected the numbers of wte.weight"), "\(foreign)")
  }
}
