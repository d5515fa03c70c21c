public import SweepCore

/// Where the cells of a coordinator's enumeration, its sweeps one after another, stand in the store.
public struct CellPlaces: Sendable {
  /// A sweep's cells.
  private struct Lane: Sendable {
    let sweep: SweepID
    /// The first of them in the enumeration.
    let start: Int
  }

  private var lanes: [Lane] = []
  /// Cells in all.
  private(set) var count = 0

  init() {}

  /// Adds a sweep after those that are there.
  mutating func append(_ sweep: SweepID, cells: Int) {
    lanes.append(Lane(sweep: sweep, start: count))
    count += cells
  }

  /// The sweep of a cell, by its position in the coordinator's list, and the cell's place in it. Takes time logarithmic
  /// in the number of sweeps.
  public func place(of cell: CellID) -> (sweep: SweepIndex, index: Int) {
    let position = lanes.count == 1 ? 0 : position(of: cell.index)
    return (SweepIndex(position), cell.index - lanes[position].start)
  }

  /// The same, by the sweep's name in the store.
  func row(of cell: CellID) -> (sweep: SweepID, index: Int) {
    let (position, index) = place(of: cell)
    return (sweep(at: position), index)
  }

  /// The sweep at a position of the coordinator's list.
  public func sweep(at index: SweepIndex) -> SweepID {
    lanes[index.position].sweep
  }

  /// The cell at a place of a sweep; `nil` if the coordinator does not have the sweep, or the sweep not the cell.
  public func cell(at index: Int, of sweep: SweepID) -> CellID? {
    guard let position = lanes.firstIndex(where: { $0.sweep == sweep }) else { return nil }
    let end = position + 1 < lanes.count ? lanes[position + 1].start : count
    guard index >= 0, index < end - lanes[position].start else { return nil }
    return CellID(lanes[position].start + index)
  }

  /// The positions of a sweep, or of all.
  public func positions(of sweep: SweepID?) -> [SweepIndex] {
    lanes.indices.filter { sweep == nil || lanes[$0].sweep == sweep }.map { SweepIndex($0) }
  }

  /// The last lane that starts at or before a cell.
  private func position(of index: Int) -> Int {
    var (low, high) = (0, lanes.count)
    while high - low > 1 {
      let middle = (low + high) / 2
      if lanes[middle].start <= index { low = middle } else { high = middle }
    }
    return low
  }
}
