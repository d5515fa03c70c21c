import Foundation
import TensorKernels
import Testing

@testable import LanguageModel

@Suite("PEFT adapters")
struct PEFTAdapterTests {
  private let folder: TemporaryFolder

  init() throws {
    folder = try TemporaryFolder()
  }

  private func bytes(_ name: String, of folder: URL? = nil) throws -> Data {
    try Data(contentsOf: (folder ?? self.folder.url).appendingPathComponent(name))
  }

  @Test("come back as they were written, and are written alike twice")
  func roundTrip() throws {
    var tiny = TinyModel(seed: 1)
    let configuration = TinyModel.configuration
    let sites = [Site(layer: 1, kind: .contract), Site(layer: 0, kind: .key)]
    let edit = tiny.lora(sites, rank: 3, scale: 0.75)
    try PEFTAdapter.write(edit, to: folder.url)
    let first = try (bytes("adapter_config.json"), bytes("adapter_model.safetensors"))
    let read = try PEFTAdapter.read(folder.url, configuration: configuration)
    #expect(read.rank == 3 && read.scale == 0.75 && read.sites == sites.sorted())
    for part in edit.factors {
      let found = try #require(read.factors.first { $0.site == part.site })
      #expect(found.a.copyOfElements() == part.a.copyOfElements())
      #expect(found.b.copyOfElements() == part.b.copyOfElements())
    }
    try PEFTAdapter.write(read, to: folder.url)
    #expect(try first == (bytes("adapter_config.json"), bytes("adapter_model.safetensors")))
  }

  @Test("name and shape tensors as PEFT does")
  func layout() throws {
    var tiny = TinyModel(seed: 2)
    try PEFTAdapter.write(tiny.lora([Site(layer: 1, kind: .expand)], rank: 2, scale: 4), to: folder.url)
    let file = try SafetensorsFile(path: folder.path("adapter_model.safetensors"))
    #expect(
      file.tensors.map { "\($0.name) \($0.shape)" } == [
        "base_model.model.h.1.mlp.c_fc.lora_A.weight [2, 16]", "base_model.model.h.1.mlp.c_fc.lora_B.weight [24, 2]",
      ])
    let settings = try #require(
      try JSONSerialization.jsonObject(with: bytes("adapter_config.json")) as? [String: Any])
    #expect(settings["peft_type"] as? String == "LORA")
    #expect(settings["r"] as? Int == 2)
    #expect(settings["lora_alpha"] as? Int == 4)
    #expect(settings["target_modules"] as? [String] == ["h.1.mlp.c_fc"])
  }

  @Test("give in PyTorch the logits that the edit gives here, and so do the merged weights")
  func torch() throws {
    let golden = GoldenFolder.own
    let place = golden.url.appendingPathComponent("peft")
    let peft = try SafetensorsFile(path: place.appendingPathComponent("logits.safetensors").path)
    let truth = try peft.doubles(#require(peft["logits"]))
    let model = try golden.model("grouped")
    let edited = try #require(golden.cases(of: "edit_lora").first { $0.id == "edit-lora-grouped-r2-all" })
    let data = try golden.read(GoldenData.Edited.self, edited)

    // What was loaded there is what is written here.
    let edit = try goldenLoRA(#require(data.lora), golden.tensors(edited), suffix: "")
    try PEFTAdapter.write(edit, to: folder.url)
    let adapter = place.appendingPathComponent("adapter")
    for name in ["adapter_config.json", "adapter_model.safetensors"] {
      #expect(try bytes(name) == bytes(name, of: adapter), "\(name)")
    }

    let read = try PEFTAdapter.read(adapter, configuration: model.configuration)
    let runs = [
      ("edit", logits(of: model, read, data.input_ids)),
      ("merged", logits(of: model.merging(read), nil, data.input_ids)),
    ]
    for (name, found) in runs {
      #expect(maximumError(found.map(Double.init), truth) < 1e-4, "\(name)")
    }
    #expect(maximumError(logits(of: model, nil, data.input_ids).map(Double.init), truth) > 0.1)
  }

  private func logits(of model: TargetModel, _ edit: (any Edit)?, _ inputs: [[Int]]) -> [Float] {
    let batch = TokenBatch(sequences: inputs, edited: edit != nil)
    let residual = PackedPass(model: model, batch: batch, edits: edit.map { [$0] } ?? []).forward()
    let head = LossHead(model: model)
    return head.logits(normed: head.normalised(residual).normed).copyOfElements()
  }

  @Test(
    "are refused where they are no plain LoRA of the model's sites",
    arguments: [
      ("\"h.1.mlp.c_fc\"", "\"h.7.mlp.c_fc\"", "expected sites of the model such as h.0.attn.q_proj, each once"),
      ("\"h.1.mlp.c_fc\"", "\"h.0.mlp.c_fc\"", "no such tensor"),
      ("\"r\" : 2", "\"r\" : 3", "expected shape [3, 16], found [2, 16]"),
      ("\"use_rslora\" : false", "\"use_rslora\" : true", "expected a plain LoRA"),
      ("\"peft_type\" : \"LORA\"", "\"peft_type\" : \"IA3\"", "expected a plain LoRA"),
      ("\"lora_alpha\" : 1", "\"lora_alpha\" : \"1\"", "expected the settings of a PEFT adapter"),
    ])
  func refusal(old: String, new: String, reason: String) throws {
    var tiny = TinyModel(seed: 3)
    try PEFTAdapter.write(tiny.lora([Site(layer: 1, kind: .expand)], rank: 2, scale: 1), to: folder.url)
    let text = String(decoding: try bytes("adapter_config.json"), as: UTF8.self)
    try #require(text.contains(old))
    _ = try folder.write("adapter_config.json", text.replacing(old, with: new))
    let error = try #require(throws: InputFileError.self) {
      try PEFTAdapter.read(folder.url, configuration: TinyModel.configuration)
    }
    #expect(error.description.contains(reason), "\(error)")
  }

  @Test("are refused where there are factors that nothing names")
  func extraTensors() throws {
    var tiny = TinyModel(seed: 4)
    try PEFTAdapter.write(
      tiny.lora([Site(layer: 0, kind: .expand), Site(layer: 1, kind: .expand)], rank: 2), to: folder.url)
    let text = String(decoding: try bytes("adapter_config.json"), as: UTF8.self)
    _ = try folder.write("adapter_config.json", text.replacing("\"h.0.mlp.c_fc\",", with: ""))
    let error = try #require(throws: InputFileError.self) {
      try PEFTAdapter.read(folder.url, configuration: TinyModel.configuration)
    }
    #expect(error.description.contains("expected the factors of target_modules only"))
  }
}
