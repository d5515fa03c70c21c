import Foundation
import TensorKernels
import Testing

@testable import LanguageModel

/// The engine against PyTorch in float64: gradients and optimiser trajectories.
@Suite("Golden: training")
struct GoldenTrainingTests {
  @Test("losses and gradients of prefactors agree", arguments: GoldenFolder.all)
  func prefactorGradients(folder: GoldenFolder) throws {
    let report = ToleranceReport(folder, "grad_alpha")
    let cases = folder.cases(of: "grad_alpha")
    for golden in cases {
      let data = try folder.read(GoldenData.Gradient.self, golden)
      let name = try #require(golden.model)
      let model = try folder.model(name)
      let edit = try goldenPrefactors(folder, name, model, data.decomposition, try #require(data.edits))
      let problem = try goldenProblem(model, edit, data.forget, data.retain, data.loss)
      try checkLosses(report, golden.id, problem.lossesAndGradient(edit), data.truth, folder)
      try checkLosses(report, golden.id, problem.losses(edit), data.truth, folder)
      let found = edit.parameters[0].gradient.copyOfElements()
      let truth = try #require(data.truth.grad_alpha)
      report.check(
        golden.id, "grad_maxrel",
        passing(
          maximumRelativeError(found, truth), tolerance: folder.tolerance("grad_alpha", "grad_maxrel"),
          or: maximumError(found.map(Double.init), truth),
          floor: folder.tolerance("grad_alpha", "grad_abs_floor")),
        within: folder.tolerance("grad_alpha", "grad_maxrel"))
    }
    report.finish(expected: cases.count)
  }

  @Test("losses and gradients of LoRA factors agree", arguments: GoldenFolder.all)
  func loraGradients(folder: GoldenFolder) throws {
    let report = ToleranceReport(folder, "grad_lora")
    let cases = folder.cases(of: "grad_lora")
    for golden in cases {
      let data = try folder.read(GoldenData.Gradient.self, golden)
      let model = try folder.model(try #require(golden.model))
      let tensors = try folder.tensors(golden)
      let lora = try #require(data.lora)
      let edit = try goldenLoRA(lora, tensors, suffix: "")
      let problem = try goldenProblem(model, edit, data.forget, data.retain, data.loss)
      try checkLosses(report, golden.id, problem.lossesAndGradient(edit), data.truth, folder)
      var found: [Float] = []
      var truth: [Double] = []
      for (index, site) in lora.targets.enumerated() {
        // B is held transposed.
        let parts = [
          (edit.parameters[2 * index].gradient, "lora_A"),
          (edit.parameters[2 * index + 1].gradient.transposed(), "lora_B"),
        ]
        for (gradient, suffix) in parts {
          let expected = try tensors.doubles("\(site).\(suffix).grad")
          report.check(
            golden.id, "grad_maxrel",
            passing(
              maximumRelativeError(gradient.copyOfElements(), expected),
              tolerance: folder.tolerance("grad_lora", "grad_maxrel"),
              or: maximumError(gradient.copyOfElements().map(Double.init), expected),
              floor: folder.tolerance("grad_lora", "grad_abs_floor")),
            within: folder.tolerance("grad_lora", "grad_maxrel"))
          found += gradient.copyOfElements()
          truth += expected
        }
      }
      report.check(
        golden.id, "grad_rl2", relativeNormError(found, truth), within: folder.tolerance("grad_lora", "grad_rl2"))
    }
    report.finish(expected: cases.count)
  }

  @Test("gradients of every weight agree", arguments: GoldenFolder.all)
  func fullGradients(folder: GoldenFolder) throws {
    let report = ToleranceReport(folder, "grad_full")
    let cases = folder.cases(of: "grad_full")
    for golden in cases {
      let data = try folder.read(GoldenData.Forward.self, golden)
      let tensors = try folder.tensors(golden)
      let model = try folder.model(try #require(golden.model))
      let gradients = WeightGradients(configuration: model.configuration)
      let windows = zip(data.input_ids, data.target_ids).map { TokenWindow(inputs: $0, targets: $1) }
      let loss = model.meanCrossEntropy(of: windows, accumulatingInto: gradients)
      report.check(
        golden.id, "loss_abs", abs(loss - data.truth.mean_ce), within: folder.tolerance("grad_full", "loss_abs"))
      var found: [Float] = []
      var truth: [Double] = []
      for (name, gradient) in gradients.named {
        found += gradient.copyOfElements()
        truth += try tensors.doubles("\(name).grad")
      }
      report.check(
        golden.id, "grad_err_over_global_max", maximumRelativeError(found, truth),
        within: folder.tolerance("grad_full", "grad_err_over_global_max"))
      report.check(
        golden.id, "grad_rl2", relativeNormError(found, truth), within: folder.tolerance("grad_full", "grad_rl2"))
    }
    report.finish(expected: cases.count)
  }

  @Test("losses of masked sites, and gradients of their factors and masks, agree")
  func maskedGradients() throws {
    let folder = GoldenFolder.own
    let report = ToleranceReport(folder, "grad_masked")
    let cases = folder.cases(of: "grad_masked")
    for golden in cases {
      let data = try folder.read(GoldenData.Masked.self, golden)
      let name = try #require(golden.model)
      let (model, tensors) = (try folder.model(name), try folder.tensors(golden))
      let directions = GoldenTensors(file: try SafetensorsFile(path: folder.path(name, data.decomposition)))
      let windows = zip(data.input_ids, data.target_ids).map { TokenWindow(inputs: $0, targets: $1) }
      var masked: [Site: MaskedSite] = [:]
      for (path, rows) in data.rows {
        func drawn(_ suffix: String) throws -> Matrix {
          let all = try tensors.matrix("\(path).\(suffix)")
          let own = Matrix(rows: rows.count, columns: all.columns)
          own.gather(rows, from: all)
          return own
        }
        let (read, write) = (try directions.matrix("\(path).V"), try directions.matrix("\(path).U"))
        let (masks, rest) = (try drawn("mask"), try drawn("rest"))
        func zeros(_ matrix: Matrix) -> Matrix { Matrix(rows: matrix.rows, columns: matrix.columns) }
        // All rows may be named or left out.
        let isAll = rows.count == windows.reduce(0) { $0 + $1.inputs.count }
        masked[try #require(Site(path))] = MaskedSite(
          read: read, write: write, rows: isAll ? nil : rows, masks: masks, restMasks: rest,
          gradients: .init(factors: (zeros(read), zeros(write)), masks: zeros(masks), restMasks: zeros(rest)))
      }
      let run = BaseRun(model: model, windows: windows, sites: masked.keys)
      let losses = run.losses(masked, weight: 1 / Double(run.rows))
      #expect(run.losses(masked) == losses, "the same without gradients")
      let crossEntropy = losses.crossEntropies.reduce(0) { $0 + Double($1) } / Double(run.rows)
      for (found, truth) in [
        (losses.meanDivergence, data.truth.divergence), (crossEntropy, data.truth.mean_ce),
      ] {
        report.check(golden.id, "loss_abs", abs(found - truth), within: folder.tolerance("grad_masked", "loss_abs"))
      }
      for kind in ["V", "U", "mask", "rest"] {
        var found: [Float] = []
        var truth: [Double] = []
        for (site, change) in masked {
          let gradients = try #require(change.gradients)
          let factors = try #require(gradients.factors)
          let own = ["V": factors.read, "U": factors.write, "mask": gradients.masks, "rest": gradients.restMasks]
          let gradient = try #require(own[kind])
          found += gradient.copyOfElements()
          let expected = try tensors.doubles("\(site).\(kind).grad")
          if kind == "V" || kind == "U" {
            truth += expected
          } else {
            for row in data.rows["\(site)"] ?? [] {
              truth += expected[row * gradient.columns..<(row + 1) * gradient.columns]
            }
          }
        }
        report.check(
          golden.id, "\(kind) grad_err_over_global_max", maximumRelativeError(found, truth),
          within: folder.tolerance("grad_masked", "grad_err_over_global_max"))
        report.check(
          golden.id, "\(kind) grad_rl2", relativeNormError(found, truth),
          within: folder.tolerance("grad_masked", "grad_rl2"))
      }
    }
    report.finish(expected: cases.count)
  }

  @Test("AdamW takes prefactors along the same path", arguments: GoldenFolder.all)
  func prefactorTrajectories(folder: GoldenFolder) throws {
    let report = ToleranceReport(folder, "traj_alpha")
    let cases = folder.cases(of: "traj_alpha")
    for golden in cases {
      let data = try folder.read(GoldenData.Trajectory.self, golden)
      let name = try #require(golden.model)
      let model = try folder.model(name)
      let edit = try goldenPrefactors(folder, name, model, data.decomposition, try #require(data.edits))
      let truth = try #require(data.truth.alpha_after_step)
      try follow(report, golden.id, model, edit, data) { updates in
        report.check(
          golden.id, "params_maxabs", maximumError(edit.alphas, truth[updates - 1]),
          within: data.tolerance.tol_params_maxabs_after_step[updates - 1])
      }
    }
    report.finish(expected: cases.count)
  }

  @Test("AdamW takes LoRA factors along the same path", arguments: GoldenFolder.all)
  func loraTrajectories(folder: GoldenFolder) throws {
    let report = ToleranceReport(folder, "traj_lora")
    let cases = folder.cases(of: "traj_lora")
    for golden in cases {
      let data = try folder.read(GoldenData.Trajectory.self, golden)
      let model = try folder.model(try #require(golden.model))
      let tensors = try folder.tensors(golden)
      let lora = try #require(data.lora)
      let edit = try goldenLoRA(lora, tensors, suffix: ".init")
      try follow(report, golden.id, model, edit, data) { _ in }
      guard data.tolerance.compare_steps == data.optimizer.steps else { continue }
      let tolerance = try #require(data.tolerance.tol_params_maxabs_after_step.last)
      for (site, factors) in zip(lora.targets, edit.factors) {
        for (factor, suffix) in [(factors.a, "lora_A"), (factors.b, "lora_B")] {
          report.check(
            golden.id, "params_maxabs",
            maximumError(
              factor.copyOfElements().map(Double.init), try tensors.doubles("\(site).\(suffix).final")),
            within: tolerance)
        }
      }
    }
    report.finish(expected: cases.count)
  }

  @Test("AdamW takes all weights along the same path", arguments: GoldenFolder.all)
  func pretrainingTrajectories(folder: GoldenFolder) throws {
    let report = ToleranceReport(folder, "traj_pretrain")
    let cases = folder.cases(of: "traj_pretrain")
    for golden in cases {
      let data = try folder.read(GoldenData.Pretraining.self, golden)
      let tensors = try folder.tensors(golden)
      let initial = try folder.model(try #require(golden.model))
      let configuration = initial.configuration
      let parameters = initial.namedWeights.map { TrainableParameter(name: $0.name, value: Matrix(copying: $0.weight)) }
      var optimiser = AdamW(settings: settings(data.optimizer), parameters: parameters) { $0.value.rows > 1 }
      for step in 0..<data.optimizer.steps {
        let model = TargetModel(configuration: configuration, parameters: parameters)
        let gradients = WeightGradients(configuration: configuration)
        let batch = data.batches[step % data.batches.count]
        let loss = model.meanCrossEntropy(of: batch.windows, accumulatingInto: gradients)
        for (parameter, gradient) in zip(parameters, gradients.named) {
          #expect(parameter.name == gradient.name)
          parameter.gradient.copy(from: gradient.gradient)
        }
        if step < data.tolerance.compare_steps {
          report.check(
            golden.id, "loss_abs", abs(loss - data.truth.loss[step]),
            within: data.tolerance.tol_loss_abs_at_step[step])
          let norm = parameters.reduce(0) { $0 + $1.gradient.sumOfSquares }.squareRoot()
          report.check(
            golden.id, "grad_norm_rel",
            abs(norm - data.truth.grad_norm_preclip[step]) / data.truth.grad_norm_preclip[step], within: 1e-3)
        }
        optimiser.update(parameters)
      }
      guard data.tolerance.compare_steps == data.optimizer.steps else { continue }
      var found: [Float] = []
      var truth: [Double] = []
      for parameter in parameters {
        found += parameter.value.copyOfElements()
        truth += try tensors.doubles("\(parameter.name).final")
      }
      report.check(
        golden.id, "final_params_maxabs", maximumError(found.map(Double.init), truth),
        within: try #require(data.tolerance.tol_params_maxabs_after_step.last))
      report.check(
        golden.id, "final_params_rl2", relativeNormError(found, truth),
        within: try #require(data.tolerance.tol_final_params_rl2))
    }
    report.finish(expected: cases.count)
  }

  /// Runs AdamW as the engine does, comparing the losses before every update and those behind the last.
  private func follow(
    _ report: ToleranceReport, _ id: String, _ model: TargetModel, _ edit: any Edit, _ data: GoldenData.Trajectory,
    after: (Int) -> Void
  ) throws {
    let problem = try goldenProblem(model, edit, data.forget, data.retain, data.loss)
    let compared = data.tolerance.compare_steps
    let optimiser = FineTune.AdamWSettings(
      steps: data.optimizer.steps, learningRate: data.optimizer.lr, beta1: data.optimizer.betas[0],
      beta2: data.optimizer.betas[1], epsilon: data.optimizer.eps, weightDecay: data.optimizer.weight_decay,
      clipNorm: data.optimizer.clip)
    let steps = try FineTune(problem).adamW(optimiser, edit: edit) { updates, _ in
      if updates > 0, updates <= compared { after(updates) }
      return true
    }
    for (index, step) in steps.prefix(compared).enumerated() {
      let tolerance = data.tolerance.tol_loss_abs_at_step[index]
      report.check(id, "total_abs", abs(step.losses.total - data.truth.total[index]), within: tolerance)
      report.check(id, "forget_abs", abs(step.losses.forget - data.truth.forget[index]), within: tolerance)
      report.check(id, "retain_abs", abs(step.losses.retain - data.truth.retain[index]), within: tolerance)
    }
    // The gradient's norm has no tolerance of its own; at the first step nothing has been amplified yet.
    report.check(
      id, "first_grad_norm_rel",
      abs(steps[0].gradientNorm - data.truth.grad_norm_preclip[0]) / max(data.truth.grad_norm_preclip[0], 1e-3),
      within: 2e-4)
    guard compared == data.optimizer.steps else { return }
    let tolerance = try #require(data.tolerance.tol_loss_abs_at_step.last)
    let end = problem.losses(edit)
    report.check(id, "after_last_abs", abs(end.total - data.truth.after_last_step.total), within: tolerance)
  }

  private func checkLosses(
    _ report: ToleranceReport, _ id: String, _ losses: FineTuneProblem.Losses, _ truth: GoldenData.Gradient.Truth,
    _ folder: GoldenFolder
  ) throws {
    let kind = folder.tolerance("grad_alpha", "loss_abs")
    report.check(id, "loss_abs", abs(losses.total - truth.total), within: kind)
    report.check(id, "loss_abs", abs(losses.forget - truth.forget_loss), within: kind)
    report.check(id, "loss_abs", abs(losses.retain - truth.retain_loss), within: kind)
  }

  private func goldenProblem(
    _ model: TargetModel, _ edit: any Edit, _ forget: GoldenData.Batch, _ retain: GoldenData.Batch,
    _ loss: GoldenData.Loss
  ) throws -> FineTuneProblem {
    FineTuneProblem(
      model: model, editedSites: edit.deltas.keys, forget: forget.windows, retain: retain.windows,
      settings: .init(
        forgetLoss: try #require(ForgetObjective(rawValue: loss.forget)),
        retainLoss: try #require(RetainObjective(rawValue: loss.retain)), retainWeight: loss.lambda))
  }

  private func settings(_ optimiser: GoldenData.Optimiser) -> AdamW.Settings {
    AdamW.Settings(
      learningRate: optimiser.lr, beta1: optimiser.betas[0], beta2: optimiser.betas[1], epsilon: optimiser.eps,
      weightDecay: optimiser.weight_decay, clipNorm: optimiser.clip)
  }

  /// The relative error, taken back to its tolerance where the absolute error is below its floor: either suffices.
  private func passing(_ relative: Double, tolerance: Double, or absolute: Double, floor: Double) -> Double {
    absolute <= floor ? min(relative, tolerance) : relative
  }
}
