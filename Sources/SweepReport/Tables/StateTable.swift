public import SweepCore

/// The number of cells of every method in every state.
public enum StateTable {
  /// For a terminal: lines that end in a line feed, methods in their order.
  public static func text(_ methods: [(name: String, cells: [CellRecord.State: Int])]) -> String {
    let states = CellRecord.State.allCases
    var table = AlignedTable([("method", .left)] + states.map { ($0.rawValue, .right) } + [("cells", .right)])
    func append(_ name: String, _ cells: [CellRecord.State: Int]) {
      table.append(
        [name] + states.map { cells[$0].map(grouped) ?? "-" } + [grouped(cells.values.reduce(0, +))])
    }
    for method in methods { append(method.name, method.cells) }
    append("all", methods.reduce(into: [:]) { all, method in all.merge(method.cells, uniquingKeysWith: +) })
    return table.text
  }
}
