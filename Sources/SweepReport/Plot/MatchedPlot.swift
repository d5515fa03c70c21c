internal import SweepCore

extension ReportedSweep {
  /// `matched.svg`: what each method's edits cost in every kept or observed corpus where they remove equally much.
  public func matchedSVG() -> String {
    matchedSVG(for: .file)
  }

  func matchedSVG(for destination: PlotDestination) -> String {
    MatchedPlot(self).svg(for: destination)
  }
}

/// Lays out `matched.svg` and draws it: a panel for each corpus, a line for each method.
struct MatchedPlot {
  /// What one method costs in one corpus at one level, on the test split.
  private struct Mark {
    let place: Int
    let cost: SeedSpread
    /// Whether every seed reaches the level.
    let isWhole: Bool
  }

  let sweep: ReportedSweep
  let corpora: [CorpusReference]
  let costs: SymmetricLogScale
  let levels: LabelledScale
  let grid: PlotGrid

  init(_ sweep: ReportedSweep) {
    self.sweep = sweep
    corpora = sweep.keptCorpora
    let all = sweep.analysis.methods.flatMap { method in
      method.matched.filter(\.isReached).flatMap { matched in
        sweep.keptCorpora.flatMap { corpus in matched.chosen.compactMap { $0.cost(in: corpus) } }
      }
    }.filter(\.isFinite)
    costs = SymmetricLogScale(
      domain: min(max((all.min() ?? 0) * 1.15, -1), -0.005)...max(min((all.max() ?? 0) * 1.15, 20), 0.1),
      thresholdExponent: -2)
    let ticks = sweep.analysis.levels.enumerated().map { (value: Double($0), label: $1.shortTitle) }
    levels = LabelledScale(domain: -0.5...(Double(max(ticks.count, 1)) - 0.5), ticks: ticks)
    grid = PlotGrid(panels: corpora.count)
  }

  func svg(for destination: PlotDestination) -> String {
    let legend = PlotLegend(PlotLegend.methods(of: sweep), width: grid.width)
    let sheet = PlotSheet(width: grid.width, title: title, caption: Self.caption, destination: destination)
    let legendTop = sheet.top
    let top = legendTop + legend.height + 24
    let captionTop = top + grid.height + 58
    var canvas = sheet.open(captionTop: captionTop, description: description)
    legend.draw(top: legendTop, &canvas)
    for (place, corpus) in corpora.enumerated() {
      let frame = grid.frame(place, top: top)
      let axes = PanelAxes(frame: frame, across: levels, up: costs)
      axes.draw(hasLabelsBelow: grid.isLowest(place), hasLabelsLeft: grid.isLeftmost(place), &canvas)
      canvas.element(
        "path",
        [
          "d": "M\(svgNumber(frame.left)) \(svgNumber(axes.y(0)))H\(svgNumber(frame.right))",
          "stroke": canvas.colours.frame, "stroke-width": "0.8",
        ])
      canvas.label(
        PlotText.truncated("\(corpus.name.capitalised) (\(corpus.role.rawValue))", to: frame.width, size: 12),
        x: frame.left, y: frame.top - 6, ["font-weight": "bold"])
      for method in sweep.analysis.methods.indices { draw(method, corpus, axes, &canvas) }
    }
    canvas.label(
      PlotText.truncated("part of the way from the base model to a uniform guess", to: grid.innerWidth, size: 12),
      x: grid.left + grid.innerWidth / 2, y: top + grid.height + 36, ["text-anchor": "middle", "font-size": "12"])
    let middle = top + grid.height / 2
    canvas.label(
      "cost (nats, symmetric log scale)", x: 22, y: middle,
      ["text-anchor": "middle", "font-size": "12", "transform": "rotate(-90 22 \(svgNumber(middle)))"])
    return sheet.close(canvas, captionTop: captionTop)
  }

  private func draw(_ place: Int, _ corpus: CorpusReference, _ axes: PanelAxes, _ canvas: inout SVGCanvas) {
    let method = sweep.analysis.methods[place]
    let marks = method.matched.enumerated().compactMap { level, matched -> Mark? in
      let costs = matched.chosen.compactMap { $0.cost(in: corpus) }
      guard matched.isReached, !costs.isEmpty, costs.allSatisfy(\.isFinite) else { return nil }
      return Mark(place: level, cost: SeedSpread(costs), isWhole: matched.chosen.count == matched.choices.count)
    }
    guard !marks.isEmpty else { return }
    let colour = canvas.colours.method(place)
    let style = PlotStyle(place: place)
    // Methods stand side by side, so that their bars do not hide each other.
    let count = Double(sweep.analysis.methods.count)
    let shift = (Double(place) + 0.5 - count / 2) / count * 0.7
    let places = marks.map { SIMD2(axes.x(Double($0.place) + shift), axes.y($0.cost.median)) }
    let line = "M" + places.map { "\(svgNumber($0.x)) \(svgNumber($0.y))" }.joined(separator: "L")
    canvas.element("path", ["d": line, "fill": "none", "stroke": colour, "stroke-opacity": "0.35"])
    let bars = zip(marks, places).map { mark, place in
      "M\(svgNumber(place.x)) \(svgNumber(axes.y(mark.cost.minimum)))V\(svgNumber(axes.y(mark.cost.maximum)))"
    }
    canvas.element("path", ["d": bars.joined(), "stroke": colour, "stroke-width": "1.2", "stroke-opacity": "0.75"])
    for (isWhole, fill) in [(true, colour), (false, canvas.colours.paper)] {
      let markers = zip(marks, places).filter { $0.0.isWhole == isWhole }
        .map { style.marker(x: $1.x, y: $1.y, radius: 3.2) }
      guard !markers.isEmpty else { continue }
      canvas.element("path", ["d": markers.joined(), "fill": fill, "stroke": colour, "stroke-width": "1"])
    }
  }

  private var title: String { "\(sweep.name): cost at matched removal of \(sweep.title(of: .forget))" }

  private var description: String {
    "Cost in \(corpora.map(\.name).joined(separator: ", ")) of the cheapest edit of every method that removes a stated "
      + "part, at medians over seeds."
  }

  static let caption =
    "Test split. For every seed the cheapest edit of the method, of any token budget, that reaches the level on the "
    + "validation split; markers at the median over the seeds that do, bars from the smallest to the largest. Hollow: "
    + "some seeds do not reach it; absent: half of them or more."
}

extension ReportedSweep {
  /// The corpora that an edit should not harm: those to retain and to observe.
  var keptCorpora: [CorpusReference] {
    corpora.filter { $0.role != .forget }
  }
}

extension TradeOffPoint {
  /// The increase of a corpus's cross-entropy over the base on test, nats; `nil` where it was not measured.
  func cost(in corpus: CorpusReference) -> Double? {
    evaluation.corpora.first { $0.name == corpus.name && $0.role == corpus.role }?.increase(.test)
  }
}

extension RemovalLevel {
  /// The level in a word: `75 %`.
  var shortTitle: String {
    switch meaning {
    case .part(let part): "\(fixedDecimal(part * 100, 0)) %"
    case .goal: "goal"
    }
  }
}
