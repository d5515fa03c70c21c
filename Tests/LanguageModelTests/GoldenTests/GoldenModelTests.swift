import Foundation
import TensorKernels
import Testing

@testable import LanguageModel

/// The engine against PyTorch in float64: what it computes forward.
@Suite("Golden: forward")
struct GoldenForwardTests {
  @Test("logits, hidden states and cross-entropies agree", arguments: GoldenFolder.all)
  func forward(folder: GoldenFolder) throws {
    let report = ToleranceReport(folder, "forward")
    let cases = folder.cases(of: "forward")
    for golden in cases {
      let data = try folder.read(GoldenData.Forward.self, golden)
      let tensors = try folder.tensors(golden)
      let model = try folder.model(try #require(golden.model))
      let targets = data.target_ids.flatMap(\.self)
      let batch = TokenBatch(sequences: data.input_ids, edited: false)
      let head = LossHead(model: model)
      var hidden: [Int: [Float]] = [:]
      let residual = PackedPass(model: model, batch: batch).forward { block, residual in
        hidden[block] = residual.copyOfElements()
      }
      for layer in 0..<model.configuration.layers {
        report.check(
          golden.id, "hidden_maxrel",
          maximumRelativeError(try #require(hidden[2 * layer + 1]), try tensors.doubles("hidden.\(layer)")),
          within: folder.tolerance("forward", "hidden_maxrel"))
      }
      let logits = head.logits(normed: head.normalised(residual).normed)
      report.check(
        golden.id, "logits_maxrel",
        maximumRelativeError(logits.copyOfElements(), try tensors.doubles("logits")),
        within: folder.tolerance("forward", "logits_maxrel"))
      let losses = head.crossEntropies(residual: residual, targets: targets)
      report.check(
        golden.id, "ce_token_abs", maximumError(losses.map(Double.init), try tensors.doubles("ce_token")),
        within: folder.tolerance("forward", "ce_token_abs"))
      let windows = zip(data.input_ids, data.target_ids).map { TokenWindow(inputs: $0, targets: $1) }
      let mean = try #require(Evaluator(model: model).meanCrossEntropy(of: windows))
      report.check(
        golden.id, "mean_ce_abs", abs(mean - data.truth.mean_ce),
        within: folder.tolerance("forward", "mean_ce_abs"))
    }
    report.finish(expected: cases.count)
  }

  @Test("logits under prefactor edits agree, and so do merged weights", arguments: GoldenFolder.all)
  func prefactors(folder: GoldenFolder) throws {
    let report = ToleranceReport(folder, "edit_alpha")
    let cases = folder.cases(of: "edit_alpha")
    for golden in cases {
      let data = try folder.read(GoldenData.Edited.self, golden)
      let tensors = try folder.tensors(golden)
      let name = try #require(golden.model)
      let model = try folder.model(name)
      let edit = try goldenPrefactors(folder, name, model, data.decomposition, try #require(data.edits))
      try checkLogits(report, golden, folder, model, edit, data.input_ids, tensors)
      for tensor in tensors.file?.tensors ?? [] where tensor.name.hasSuffix(".edited_weight") {
        let site = try #require(Site(tensor.name.dropLast(".edited_weight".count)))
        let merged = edit.deltas[site]?.merged(into: model.weight(at: site)) ?? model.weight(at: site)
        report.check(
          golden.id, "edited_weight_maxrel",
          maximumRelativeError(merged.copyOfElements(), try tensors.doubles(tensor.name)),
          within: folder.tolerance("edit_alpha", "edited_weight_maxrel"))
      }
    }
    report.finish(expected: cases.count)
  }

  @Test("logits under LoRA edits agree", arguments: GoldenFolder.all)
  func lora(folder: GoldenFolder) throws {
    let report = ToleranceReport(folder, "edit_lora")
    let cases = folder.cases(of: "edit_lora")
    for golden in cases {
      let data = try folder.read(GoldenData.Edited.self, golden)
      let tensors = try folder.tensors(golden)
      let model = try folder.model(try #require(golden.model))
      let edit = try goldenLoRA(try #require(data.lora), tensors, suffix: "")
      try checkLogits(report, golden, folder, model, edit, data.input_ids, tensors)
    }
    report.finish(expected: cases.count)
  }

  @Test("greedy continuations agree token by token", arguments: GoldenFolder.all)
  func generation(folder: GoldenFolder) throws {
    let report = ToleranceReport(folder, "generate")
    let cases = folder.cases(of: "generate")
    for golden in cases {
      let data = try folder.read(GoldenData.Generation.self, golden)
      let tensors = try folder.tensors(golden)
      let model = try folder.model(try #require(golden.model))
      var steps: [Float] = []
      var unused = SystemRandomNumberGenerator()
      let tokens = Generator(model: model).generate(
        prompt: data.prompt, count: data.max_new_tokens, sampling: .greedy, using: &unused
      ) { _, logits in
        steps += logits
      }
      report.exact(golden.id, "tokens", tokens, data.truth.generated)
      report.check(
        golden.id, "step_logits_maxrel", maximumRelativeError(steps, try tensors.doubles("step_logits")),
        within: folder.tolerance("generate", "step_logits_maxrel"))
    }
    report.finish(expected: cases.count)
  }

  private func checkLogits(
    _ report: ToleranceReport, _ golden: GoldenFolder.Case, _ folder: GoldenFolder, _ model: TargetModel,
    _ edit: any Edit, _ inputs: [[Int]], _ tensors: GoldenTensors
  ) throws {
    let head = LossHead(model: model)
    let residual = PackedPass(
      model: model, batch: TokenBatch(sequences: inputs, edited: true), edits: [edit]
    ).forward()
    report.check(
      golden.id, "logits_maxrel",
      maximumRelativeError(
        head.logits(normed: head.normalised(residual).normed).copyOfElements(), try tensors.doubles("logits")),
      within: folder.tolerance(golden.kind, "logits_maxrel"))
  }
}

/// The prefactor edit of a golden case, at its alphas.
func goldenPrefactors(
  _ folder: GoldenFolder, _ name: String, _ model: TargetModel, _ file: String?, _ edits: [GoldenData.AlphaEdit]
) throws -> PrefactorEdit {
  let decomposition = try Decomposition(
    path: folder.path(name, try #require(file)), configuration: model.configuration)
  let edit = PrefactorEdit(
    try edits.map { try decomposition.subcomponent(SubcomponentName(site: #require(Site($0.matrix)), index: $0.c)) },
    sharing: .separate)
  edit.alphas = edits.map(\.alpha)
  return edit
}

/// The LoRA of a golden case, from its tensors `<site>.lora_A<suffix>`.
func goldenLoRA(_ lora: GoldenData.LoRA, _ tensors: GoldenTensors, suffix: String) throws -> LoRAEdit {
  LoRAEdit(
    try lora.targets.map {
      LoRAEdit.Factors(
        site: try #require(Site($0)), a: try tensors.matrix("\($0).lora_A\(suffix)"),
        b: try tensors.matrix("\($0).lora_B\(suffix)"))
    }, scale: lora.alpha)
}
