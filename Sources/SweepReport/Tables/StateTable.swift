public import SweepCore

/// The number of cells of every method in every state.
public enum StateTable {
  /// For a terminal: lines that end in a line feed, methods in their order.
  ///
  /// - Parameter methods: The cells of each method by state, and how many of the completed ones have a result that
  ///   another sweep brought. Where there are such cells, a column says so.
  public static func text(_ methods: [(name: String, cells: [CellRecord.State: Int], cached: Int)]) -> String {
    let states = CellRecord.State.allCases
    let tellsCached = methods.contains { $0.cached > 0 }
    var table = AlignedTable(
      [("method", .left)] + states.map { ($0.rawValue, .right) } + [("cells", .right)]
        + (tellsCached ? [("cached", .right)] : []))
    func append(_ name: String, _ cells: [CellRecord.State: Int], _ cached: Int) {
      table.append(
        [name] + states.map { cells[$0].map(grouped) ?? "-" } + [grouped(cells.values.reduce(0, +))]
          + (tellsCached ? [grouped(cached)] : []))
    }
    for method in methods { append(method.name, method.cells, method.cached) }
    append(
      "all", methods.reduce(into: [:]) { all, method in all.merge(method.cells, uniquingKeysWith: +) },
      methods.reduce(0) { $0 + $1.cached })
    return table.text
  }
}
