extension ReuseReport {
  /// Every group, for a terminal: lines that end in a line feed.
  public func table() -> String {
    var table = AlignedTable([("method", .left), ("cells", .right), ("to run", .right), ("because", .left)])
    for group in groups {
      table.append([
        group.method, grouped(group.cells.count), group.cachedFrom == nil ? grouped(group.cells.count) : "-",
        group.cachedFrom.map { "cached from \($0)" } ?? group.reason,
      ])
    }
    return table.text
  }
}
