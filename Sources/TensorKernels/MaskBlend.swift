/// Masks from importances: m = g + (1 - g) r, where g `[N, C]` are importances and r `[R, C]` their sources.
///
/// What is important is left alone, everything else is scaled by whatever number r is.
public enum MaskBlend {
  /// Overwrites `masks` `[n, C]` by those of row `rows[i]` of `importances` and row `sourceRows[i]` of `sources`.
  public static func forward(
    importances: Matrix, rows: [Int], sources: Matrix, sourceRows: [Int], into masks: Matrix
  ) {
    check(importances, rows, sources, sourceRows, masks)
    for index in rows.indices {
      let g = unsafe importances.base + rows[index] * importances.stride
      let r = unsafe sources.base + sourceRows[index] * sources.stride
      let mask = unsafe masks.pointer + index * masks.stride
      for column in 0..<masks.columns { unsafe mask[column] = g[column] + (1 - g[column]) * r[column] }
    }
  }

  /// Adds the gradients of the importances, each to its row, from those of the masks `[n, C]`; and those of the sources
  /// where `sourceGradient` takes them.
  public static func backward(
    _ gradient: Matrix, importances: Matrix, rows: [Int], sources: Matrix, sourceRows: [Int],
    importanceGradient: Matrix?, sourceGradient: Matrix?
  ) {
    check(importances, rows, sources, sourceRows, gradient)
    if let importanceGradient { check(importanceGradient, rows, sources, sourceRows, gradient) }
    if let sourceGradient { check(importances, rows, sourceGradient, sourceRows, gradient) }
    for index in rows.indices {
      let dm = unsafe gradient.base + index * gradient.stride
      if let importanceGradient {
        let r = unsafe sources.base + sourceRows[index] * sources.stride
        let dg = unsafe importanceGradient.pointer + rows[index] * importanceGradient.stride
        for column in 0..<gradient.columns { unsafe dg[column] += dm[column] * (1 - r[column]) }
      }
      if let sourceGradient {
        let g = unsafe importances.base + rows[index] * importances.stride
        let dr = unsafe sourceGradient.pointer + sourceRows[index] * sourceGradient.stride
        for column in 0..<gradient.columns { unsafe dr[column] += dm[column] * (1 - g[column]) }
      }
    }
  }

  private static func check(_ table: Matrix, _ rows: [Int], _ sources: Matrix, _ sourceRows: [Int], _ masks: Matrix) {
    precondition(rows.count == masks.rows && sourceRows.count == masks.rows, "a row of each a mask")
    precondition(table.columns == masks.columns && sources.columns == masks.columns, "as many columns")
    precondition(rows.allSatisfy { $0 >= 0 && $0 < table.rows }, "a row outside the importances")
    precondition(sourceRows.allSatisfy { $0 >= 0 && $0 < sources.rows }, "a row outside the sources")
  }
}
