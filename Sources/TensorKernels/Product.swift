internal import CBLAS

/// Matrix products, by the BLAS.
public enum Product {
  /// Sets how many threads the BLAS may use in one product. Process-wide; a worker's slot uses one.
  public static func setThreads(_ count: Int) {
    precondition(count > 0, "at least one thread")
    openblas_set_num_threads(Int32(count))
  }

  /// Has the BLAS take the working memory that it then keeps: 128 MiB and more for each thread.
  ///
  /// Where there is none, OpenBLAS asks for it over and over and never returns from a product. Whoever wants to notice
  /// calls this first, while somebody waits for a sign that it has returned.
  public static func takeWorkingMemory() {
    // Smaller products do without it.
    let square = Matrix(rows: 256, columns: 256)
    multiply(square, square, into: Matrix(rows: 256, columns: 256))
  }

  /// Deals with products of no element or of no `terms` per element: some BLAS routines leave the output of the
  /// latter as it was.
  private static func isEmpty(_ terms: Int, _ out: Matrix, accumulate: Bool) -> Bool {
    if terms == 0 && !accumulate { out.fill(0) }
    return terms == 0 || out.rows == 0 || out.columns == 0
  }

  /// out = scale a bᵀ (+ out): a `[m, k]`, b `[n, k]`, out `[m, n]`. Overwrites unless `accumulate`.
  public static func multiply(
    _ a: some FloatMatrix, transposed b: some FloatMatrix, into out: Matrix, accumulate: Bool = false,
    scale: Float = 1
  ) {
    precondition(a.columns == b.columns && out.rows == a.rows && out.columns == b.rows, "a bᵀ: shapes differ")
    guard !isEmpty(a.columns, out, accumulate: accumulate) else { return }
    let beta: Float = accumulate ? 1 : 0
    withExtendedLifetime((a, b, out)) {
      if b.rows == 1 {
        unsafe cblas_sgemv(
          CblasRowMajor, CblasNoTrans, Int32(a.rows), Int32(a.columns), scale, a.base, Int32(a.stride), b.base, 1,
          beta, out.pointer, Int32(out.stride))
      } else if a.rows == 1 {
        unsafe cblas_sgemv(
          CblasRowMajor, CblasNoTrans, Int32(b.rows), Int32(b.columns), scale, b.base, Int32(b.stride), a.base, 1,
          beta, out.pointer, 1)
      } else {
        unsafe cblas_sgemm(
          CblasRowMajor, CblasNoTrans, CblasTrans, Int32(a.rows), Int32(b.rows), Int32(a.columns), scale, a.base,
          Int32(a.stride), b.base, Int32(b.stride), beta, out.pointer, Int32(out.stride))
      }
    }
  }

  /// out = scale a b (+ out): a `[m, k]`, b `[k, n]`, out `[m, n]`. Overwrites unless `accumulate`.
  public static func multiply(
    _ a: some FloatMatrix, _ b: some FloatMatrix, into out: Matrix, accumulate: Bool = false, scale: Float = 1
  ) {
    precondition(a.columns == b.rows && out.rows == a.rows && out.columns == b.columns, "a b: shapes differ")
    guard !isEmpty(a.columns, out, accumulate: accumulate) else { return }
    withExtendedLifetime((a, b, out)) {
      if a.columns == 1 {
        if !accumulate { out.fill(0) }
        unsafe cblas_sger(
          CblasRowMajor, Int32(a.rows), Int32(b.columns), scale, a.base, Int32(a.stride), b.base, 1, out.pointer,
          Int32(out.stride))
      } else {
        unsafe cblas_sgemm(
          CblasRowMajor, CblasNoTrans, CblasNoTrans, Int32(a.rows), Int32(b.columns), Int32(a.columns), scale,
          a.base, Int32(a.stride), b.base, Int32(b.stride), accumulate ? 1 : 0, out.pointer, Int32(out.stride))
      }
    }
  }

  /// out = scale aᵀ b (+ out): a `[k, m]`, b `[k, n]`, out `[m, n]`. Overwrites unless `accumulate`.
  public static func multiply(
    transposed a: some FloatMatrix, _ b: some FloatMatrix, into out: Matrix, accumulate: Bool = false,
    scale: Float = 1
  ) {
    precondition(a.rows == b.rows && out.rows == a.columns && out.columns == b.columns, "aᵀ b: shapes differ")
    guard !isEmpty(a.rows, out, accumulate: accumulate) else { return }
    withExtendedLifetime((a, b, out)) {
      if a.columns == 1 {
        unsafe cblas_sgemv(
          CblasRowMajor, CblasTrans, Int32(b.rows), Int32(b.columns), scale, b.base, Int32(b.stride), a.base,
          Int32(a.stride), accumulate ? 1 : 0, out.pointer, 1)
      } else {
        unsafe cblas_sgemm(
          CblasRowMajor, CblasTrans, CblasNoTrans, Int32(a.columns), Int32(b.columns), Int32(a.rows), scale, a.base,
          Int32(a.stride), b.base, Int32(b.stride), accumulate ? 1 : 0, out.pointer, Int32(out.stride))
      }
    }
  }
}
