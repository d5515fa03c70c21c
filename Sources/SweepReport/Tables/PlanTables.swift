public import SweepCore

extension SweepPlan {
  /// The number of cells of every method under every token budget, for a terminal: lines that end in a line feed.
  ///
  /// - Parameter cached: The cells that a store has results of; counted in a column of their own.
  public func countTable(cached: [Cell]? = nil) -> String {
    var methods: [String] = []
    var counts: [String: [Int: Int]] = [:]
    for cell in cells {
      if counts[cell.method] == nil { methods.append(cell.method) }
      counts[cell.method, default: [:]][cell.tokenBudget, default: 0] += 1
    }
    let budgets = Set(cells.map(\.tokenBudget)).sorted()

    var table = AlignedTable(
      [("method", .left)] + budgets.map { (grouped($0), .right) } + [("cells", .right)]
        + (cached == nil ? [] : [("cached", .right)]))
    for method in methods {
      let row = counts[method, default: [:]]
      let stored = cached.map { [grouped($0.count { $0.method == method })] } ?? []
      table.append(
        [method] + budgets.map { row[$0].map(grouped) ?? "-" } + [grouped(row.values.reduce(0, +))] + stored)
    }
    let columns = budgets.map { budget in counts.values.reduce(0) { $0 + $1[budget, default: 0] } }
    table.append(
      ["all"] + columns.map(grouped) + [grouped(cells.count)] + (cached.map { [grouped($0.count)] } ?? []))
    return "Cells by method and token budget (forget-corpus tokens; 0 = nothing is trained)\n\n" + table.text
  }
}

extension ResolvedSweep {
  /// Every cell in its order, for a terminal: lines that end in a line feed.
  public func cellTable() -> String {
    let describer = SettingsDescriber(cells)
    var table = AlignedTable([
      ("cell", .right), ("fingerprint", .left), ("method", .left), ("tokens", .right), ("seed", .right),
      ("settings", .left),
    ])
    for cell in cells {
      let specification = cell.specification
      table.append([
        "\(cell.index)", String("\(cell.fingerprint)".prefix(12)), cell.method,
        grouped(specification.training?.tokenBudget ?? 0), "\(specification.seed)", describer.text(for: cell),
      ])
    }
    return table.text
  }

  /// What every selection comes to, for a terminal: lines that end in a line feed; empty where the sweep file names
  /// all subcomponents.
  public func selectionTables() -> String {
    selections.map { selection in
      var table = AlignedTable(
        [("subcomponent", .left), ("label", .left), ("times the next", .right)]
          + (selection.measure == .selectivity ? [] : [(selection.measure.rawValue, .right)]))
      for member in selection.subcomponents {
        table.append(
          ["\(member.subcomponent)", member.label, Self.times(member.ratio)]
            + (selection.measure == .selectivity ? [] : [fixedDecimal(member.value, 5)]))
      }
      let title = [
        selection.methods.joined(separator: ", "), "\(selection.decomposition): \(selection.words)",
      ]
      return title.map { DisplayText.printable($0) + "\n" }.joined() + "\n" + table.text
    }.joined(separator: "\n")
  }

  /// A ratio to the next language; the largest number stands for a subcomponent that acts on no other.
  private static func times(_ ratio: Double) -> String {
    ratio == .greatestFiniteMagnitude ? "acts on no other" : fixedDecimal(ratio, 2)
  }

  /// The files that the cells are computed from, and those that selections are made from, for a terminal: lines that end in a line feed.
  public func fileTable() -> String {
    var table = AlignedTable([("role", .left), ("SHA-256", .left), ("bytes", .right), ("path", .left)])
    for (role, file) in files.all + files.ofSelections {
      table.append([role, String("\(file.digest)".prefix(12)), grouped(file.size), file.path])
    }
    return table.text
  }
}
