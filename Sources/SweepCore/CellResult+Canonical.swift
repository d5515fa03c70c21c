extension CellResult {
  /// The canonical form, byte for byte that of ``CanonicalJSON``, at a fraction of its cost.
  ///
  /// Traps on an infinite number, as ``CanonicalJSON`` does.
  public var canonicalForm: [UInt8] {
    var form = CanonicalWriter()
    form.object {
      $0.field("edit") { edit.write(to: &$0) }
      $0.list("evaluations", evaluations) { point, form in point.write(to: &form) }
      $0.number("forgetTokens", forgetTokens)
      $0.number("retainTokens", retainTokens)
      $0.list("steps", steps) { step, form in step.write(to: &form) }
    }
    return form.bytes
  }
}

extension AttemptReport {
  /// The canonical form, byte for byte that of ``CanonicalJSON``, at a fraction of its cost.
  ///
  /// Traps on an infinite number, as ``CanonicalJSON`` does.
  public var canonicalForm: [UInt8] {
    var form = CanonicalWriter()
    form.object {
      $0.text("engineVersion", engineVersion)
      $0.text("host", host)
      $0.number("tokensPerSecond", tokensPerSecond)
      $0.number("wallSeconds", wallSeconds)
    }
    return form.bytes
  }
}

extension EvaluationPoint {
  fileprivate func write(to form: inout CanonicalWriter) {
    form.object {
      $0.list("corpora", corpora) { score, form in score.write(to: &form) }
      $0.number("step", step)
    }
  }
}

extension CorpusScore {
  fileprivate func write(to form: inout CanonicalWriter) {
    form.object {
      $0.field("base") { base.write(to: &$0) }
      $0.field("edited") { edited.write(to: &$0) }
      $0.text("name", name)
      $0.text("role", role.rawValue)
    }
  }
}

extension SplitLosses {
  fileprivate func write(to form: inout CanonicalWriter) {
    form.object {
      $0.number("test", test)
      $0.number("validation", validation)
    }
  }
}

extension StepLosses {
  fileprivate func write(to form: inout CanonicalWriter) {
    form.object {
      if let alpha { $0.number("alpha", alpha) }
      $0.number("forget", forget)
      $0.number("gradientNorm", gradientNorm)
      $0.number("retain", retain)
      $0.number("total", total)
    }
  }
}

extension EditSummary {
  fileprivate func write(to form: inout CanonicalWriter) {
    switch self {
    case .prefactors(let alphas):
      form.single("prefactors") { $0.object { $0.list("alphas", alphas) { alpha, form in form.number(alpha) } } }
    case .lora(let norms): form.single("lora") { Self.write(norms, to: &$0) }
    case .full(let norms): form.single("full") { Self.write(norms, to: &$0) }
    }
  }

  private static func write(_ norms: [SiteNorm], to form: inout CanonicalWriter) {
    form.object {
      $0.list("deltaNorms", norms) { norm, form in
        form.object {
          $0.number("norm", norm.norm)
          $0.text("site", norm.site)
        }
      }
    }
  }
}
