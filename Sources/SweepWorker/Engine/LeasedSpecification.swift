internal import SweepCore
internal import SweepWire

extension CellSpecification {
  /// Reads a leased cell.
  ///
  /// - Throws: `CellFailure` of kind `refusedInput` if it is not exactly what this build would write: a field that
  ///   this build does not know would otherwise be passed over, and the cell run without it.
  init(leased cell: LeasedCell) throws(CellFailure) {
    do {
      self = try CanonicalJSON.decode(CellSpecification.self, from: cell.cell)
    } catch {
      throw .refused("cell \(cell.index): expected the specification of a cell, found what cannot be read: \(error)")
    }
    guard revision == Self.engineRevision else {
      throw .refused(
        "cell \(cell.index): expected engine revision \(Self.engineRevision), found \(revision); "
          + "run the same pdsweep on both sides")
    }
    guard canonicalForm == cell.cell else {
      throw .refused(
        "cell \(cell.index): expected a specification with the fields that this worker knows, found others; "
          + "run the same pdsweep on both sides")
    }
  }
}
