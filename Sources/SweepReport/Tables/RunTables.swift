internal import SweepCore

extension ReportedSweep {
  /// `steps.csv`: the losses of every step of every cell, nats, each before its update. `alpha` is the value tried
  /// where the step is a trial of a one-dimensional search.
  public func stepsCSV() -> String {
    var table = CSVTable(
      header: ["cell", "method", "step", "forget_loss", "retain_loss", "total_loss", "gradient_norm", "alpha"])
    for record in records {
      for (step, losses) in (record.result?.steps ?? []).enumerated() {
        table.append([
          "\(record.cell.index)", record.cell.method, "\(step)", "\(losses.forget)", "\(losses.retain)",
          "\(losses.total)", "\(losses.gradientNorm)", losses.alpha?.description ?? "",
        ])
      }
    }
    return table.text
  }

  /// `provenance.csv`: where and how fast the accepted attempt of each cell ran, and in which sweep where it was
  /// another. Differs between runs of the same sweep by its nature, so nothing of it is in any other file.
  public func provenanceCSV() -> String {
    var table = CSVTable(
      header: [
        "cell", "method", "fingerprint", "state", "attempts", "host", "engine_version", "wall_seconds",
        "tokens_per_second", "cached_from",
      ])
    for record in records {
      table.append([
        "\(record.cell.index)", record.cell.method, "\(record.cell.fingerprint)", record.state.rawValue,
        "\(record.attempts)", record.report?.host ?? "", record.report?.engineVersion ?? "",
        record.report?.wallSeconds.description ?? "", record.report?.tokensPerSecond.description ?? "",
        record.cachedFrom ?? "",
      ])
    }
    return table.text
  }
}
