/// A rectangle of float32 numbers in row-major order, read through a bounds-checked door.
///
/// Kernels take their operands as `some FloatMatrix`, so that weights (``ConstantMatrix``) and working memory
/// (``Matrix``) enter the same products.
public protocol FloatMatrix {
  /// Number of rows.
  var rows: Int { get }
  /// Number of columns.
  var columns: Int { get }
  /// Distance in floats between the starts of neighbouring rows; at least ``columns``.
  var stride: Int { get }
  /// The first element. Valid as long as the matrix (or a copy of it) lives; `stride * (rows - 1) + columns`
  /// floats from here belong to the same storage.
  @unsafe var base: UnsafePointer<Float> { get }
}

extension FloatMatrix {
  /// The element at a row and a column.
  public subscript(row: Int, column: Int) -> Float {
    precondition(row >= 0 && row < rows && column >= 0 && column < columns, "element outside the matrix")
    return withExtendedLifetime(self) { unsafe base[row * stride + column] }
  }

  /// A copy of one row.
  public func copyOfRow(_ row: Int) -> [Float] {
    precondition(row >= 0 && row < rows, "row outside the matrix")
    return withExtendedLifetime(self) {
      unsafe Array(UnsafeBufferPointer(start: base + row * stride, count: columns))
    }
  }

  /// A copy of all elements, row by row.
  public func copyOfElements() -> [Float] {
    (0..<rows).flatMap { copyOfRow($0) }
  }
}

/// Sixty-four-byte aligned float32 memory, freed with its last owner.
@safe final class FloatStorage {
  let base: UnsafeMutablePointer<Float>
  let count: Int

  init(count: Int) {
    let bytes = max(count, 1) * MemoryLayout<Float>.stride
    let raw = UnsafeMutableRawPointer.allocate(byteCount: bytes, alignment: 64)
    unsafe base = unsafe raw.bindMemory(to: Float.self, capacity: max(count, 1))
    self.count = count
  }

  deinit {
    unsafe base.deallocate()
  }
}

/// A view of working memory: activations, gradients, trained parameters, optimiser state.
///
/// Copies of the value see the same memory, as slices of an array do in NumPy. It is not `Sendable`: working memory
/// belongs to the one thread that runs its attempt.
public struct Matrix: FloatMatrix {
  private let storage: FloatStorage
  private let offset: Int
  /// Number of rows.
  public let rows: Int
  /// Number of columns.
  public let columns: Int
  /// Distance in floats between the starts of neighbouring rows.
  public let stride: Int

  /// Creates a matrix of zeros.
  public init(rows: Int, columns: Int) {
    self.init(uninitializedRows: rows, columns: columns)
    fill(0)
  }

  /// Creates a matrix whose elements are unspecified until they are written; for outputs that kernels overwrite.
  public init(uninitializedRows rows: Int, columns: Int) {
    precondition(rows >= 0 && columns >= 0, "a matrix has no negative extents")
    let (count, overflow) = rows.multipliedReportingOverflow(by: columns)
    precondition(!overflow, "a matrix of more elements than memory has addresses")
    self.init(storage: FloatStorage(count: count), offset: 0, rows: rows, columns: columns, stride: columns)
  }

  /// Creates a matrix from elements given row by row.
  public init(rows: Int, columns: Int, elements: [Float]) {
    precondition(elements.count == rows * columns, "a \(rows) x \(columns) matrix needs \(rows * columns) elements")
    self.init(uninitializedRows: rows, columns: columns)
    unsafe elements.withUnsafeBufferPointer { source in
      if let start = source.baseAddress {
        unsafe pointer.update(from: start, count: elements.count)
      }
    }
  }

  /// Creates a copy of another matrix, without gaps between its rows.
  public init(copying other: some FloatMatrix) {
    self.init(uninitializedRows: other.rows, columns: other.columns)
    copy(from: other)
  }

  private init(storage: FloatStorage, offset: Int, rows: Int, columns: Int, stride: Int) {
    self.storage = storage
    self.offset = offset
    self.rows = rows
    self.columns = columns
    self.stride = stride
  }

  /// The first element, for writing.
  @unsafe var pointer: UnsafeMutablePointer<Float> {
    unsafe storage.base + offset
  }

  /// The first element, for reading.
  @unsafe public var base: UnsafePointer<Float> {
    unsafe UnsafePointer(pointer)
  }

  /// The element at a row and a column.
  public subscript(row: Int, column: Int) -> Float {
    get {
      precondition(row >= 0 && row < rows && column >= 0 && column < columns, "element outside the matrix")
      return unsafe pointer[row * stride + column]
    }
    nonmutating set {
      precondition(row >= 0 && row < rows && column >= 0 && column < columns, "element outside the matrix")
      unsafe pointer[row * stride + column] = newValue
    }
  }

  /// A view of some of the rows.
  public func rows(_ range: Range<Int>) -> Matrix {
    precondition(range.lowerBound >= 0 && range.upperBound <= rows, "rows \(range) of \(rows)")
    return Matrix(
      storage: storage, offset: offset + range.lowerBound * stride, rows: range.count, columns: columns,
      stride: stride)
  }

  /// A view of some of the columns.
  public func columns(_ range: Range<Int>) -> Matrix {
    precondition(range.lowerBound >= 0 && range.upperBound <= columns, "columns \(range) of \(columns)")
    return Matrix(
      storage: storage, offset: offset + range.lowerBound, rows: rows, columns: range.count, stride: stride)
  }

  /// Overwrites every element.
  public func fill(_ value: Float) {
    for row in 0..<rows {
      unsafe (pointer + row * stride).update(repeating: value, count: columns)
    }
  }

  /// Overwrites this matrix by another one of the same shape. The two must not overlap.
  public func copy(from other: some FloatMatrix) {
    precondition(rows == other.rows && columns == other.columns, "copy between different shapes")
    withExtendedLifetime(other) {
      if stride == columns && other.stride == columns {
        unsafe pointer.update(from: other.base, count: rows * columns)
      } else {
        for row in 0..<rows {
          unsafe (pointer + row * stride).update(from: other.base + row * other.stride, count: columns)
        }
      }
    }
  }

  /// Overwrites row i by row `indices[i]` of `table`. Traps on an index outside the table.
  public func gather(_ indices: [Int], from table: some FloatMatrix) {
    precondition(rows == indices.count && columns == table.columns, "gather between different shapes")
    withExtendedLifetime(table) {
      for (row, index) in indices.enumerated() {
        precondition(index >= 0 && index < table.rows, "row \(index) of a table of \(table.rows)")
        unsafe (pointer + row * stride).update(from: table.base + index * table.stride, count: columns)
      }
    }
  }

  /// Adds row i to row `indices[i]` of `table`: the transpose of ``gather(_:from:)``. Accumulates.
  public func scatterAdd(_ indices: [Int], into table: Matrix) {
    precondition(rows == indices.count && columns == table.columns, "scatter between different shapes")
    for (row, index) in indices.enumerated() {
      precondition(index >= 0 && index < table.rows, "row \(index) of a table of \(table.rows)")
      unsafe RowKernels.addScaled(
        table.pointer + index * table.stride, pointer + row * stride, columns, scale: 1)
    }
  }

  /// Overwrites row `indices[i]` of `table` by row i. Traps on an index outside the table.
  public func scatter(_ indices: [Int], into table: Matrix) {
    precondition(rows == indices.count && columns == table.columns, "scatter between different shapes")
    for (row, index) in indices.enumerated() {
      precondition(index >= 0 && index < table.rows, "row \(index) of a table of \(table.rows)")
      unsafe (table.pointer + index * table.stride).update(from: pointer + row * stride, count: columns)
    }
  }

  /// Adds `scale * other` element by element. Accumulates.
  public func add(_ other: some FloatMatrix, scale: Float = 1) {
    precondition(rows == other.rows && columns == other.columns, "sum of different shapes")
    withExtendedLifetime(other) {
      for row in 0..<rows {
        unsafe RowKernels.addScaled(pointer + row * stride, other.base + row * other.stride, columns, scale: scale)
      }
    }
  }

  /// Multiplies every element by a factor.
  public func scale(by factor: Float) {
    for row in 0..<rows {
      unsafe RowKernels.scaleOffset(pointer + row * stride, columns, scale: factor, offset: 0)
    }
  }

  /// Adds `row` `[1, columns]` to every row.
  public func addToRows(_ row: some FloatMatrix) {
    precondition(row.rows == 1 && row.columns == columns, "one term a column")
    withExtendedLifetime(row) {
      for index in 0..<rows {
        unsafe RowKernels.addScaled(pointer + index * stride, row.base, columns, scale: 1)
      }
    }
  }

  /// Replaces every element outside of `range` by the nearer of its ends. What is not a number stays so.
  public func clip(to range: ClosedRange<Float>) {
    for row in 0..<rows {
      let start = unsafe pointer + row * stride
      for column in 0..<columns {
        let element = unsafe start[column]
        let raised = element < range.lowerBound ? range.lowerBound : element
        unsafe start[column] = raised > range.upperBound ? range.upperBound : raised
      }
    }
  }

  /// Adds `scale` to every element where `other`'s is above 0, and takes it away where that is below 0.
  public func addSigns(of other: Matrix, scale: Float) {
    precondition(rows == other.rows && columns == other.columns, "signs of a different shape")
    for row in 0..<rows {
      let (own, signs) = unsafe (pointer + row * stride, other.pointer + row * other.stride)
      for column in 0..<columns {
        let sign = unsafe signs[column]
        unsafe own[column] += sign > 0 ? scale : sign < 0 ? -scale : 0
      }
    }
  }

  /// How many elements are above a number.
  public func count(above threshold: Float) -> Int {
    var count = 0
    for row in 0..<rows {
      let elements = unsafe pointer + row * stride
      for column in 0..<columns where unsafe elements[column] > threshold { count += 1 }
    }
    return count
  }

  /// Multiplies column j by `factors[0, j]`.
  public func scaleColumns(by factors: Matrix) {
    precondition(factors.rows == 1 && factors.columns == columns, "one factor a column")
    for row in 0..<rows {
      for column in 0..<columns {
        unsafe pointer[row * stride + column] *= factors.pointer[column]
      }
    }
  }

  /// A copy in which the rows stand `count` times, one copy behind the other.
  public func repeated(_ count: Int) -> Matrix {
    let result = Matrix(uninitializedRows: rows * count, columns: columns)
    for copy in 0..<count { result.rows(copy * rows..<(copy + 1) * rows).copy(from: self) }
    return result
  }

  /// A transposed copy.
  public func transposed() -> Matrix {
    let result = Matrix(uninitializedRows: columns, columns: rows)
    for row in 0..<rows {
      for column in 0..<columns {
        unsafe result.pointer[column * result.stride + row] = pointer[row * stride + column]
      }
    }
    return result
  }

  /// Sum of the squares of all elements, in double precision.
  public var sumOfSquares: Double {
    (0..<rows).reduce(0) { unsafe $0 + RowKernels.sumOfSquares(pointer + $1 * stride, columns) }
  }

  /// Whether every element is a finite number.
  public var isFinite: Bool {
    for row in 0..<rows {
      for column in 0..<columns where unsafe !pointer[row * stride + column].isFinite {
        return false
      }
    }
    return true
  }
}

/// Frozen numbers: weights and decompositions. Immutable, hence shared freely between threads.
@safe public struct ConstantMatrix: FloatMatrix, @unchecked Sendable {
  // Sendable: `owner` keeps the memory alive, and nobody writes to it after construction.
  private let owner: AnyObject
  private let start: UnsafePointer<Float>
  /// Number of rows.
  public let rows: Int
  /// Number of columns.
  public let columns: Int

  /// Distance in floats between the starts of neighbouring rows.
  public var stride: Int { columns }

  /// The first element.
  @unsafe public var base: UnsafePointer<Float> { unsafe start }

  /// Freezes a copy of a matrix.
  public init(copying matrix: some FloatMatrix) {
    let storage = FloatStorage(count: matrix.rows * matrix.columns)
    for row in 0..<matrix.rows {
      withExtendedLifetime(matrix) {
        unsafe (storage.base + row * matrix.columns).update(
          from: matrix.base + row * matrix.stride, count: matrix.columns)
      }
    }
    owner = storage
    unsafe start = UnsafePointer(storage.base)
    rows = matrix.rows
    columns = matrix.columns
  }

  /// Freezes elements given row by row.
  public init(rows: Int, columns: Int, elements: [Float]) {
    self.init(copying: Matrix(rows: rows, columns: columns, elements: elements))
  }

  /// Wraps `rows * columns` floats that `owner` keeps alive and that nobody writes to.
  @unsafe init(owner: AnyObject, base: UnsafePointer<Float>, rows: Int, columns: Int) {
    self.owner = owner
    unsafe start = base
    self.rows = rows
    self.columns = columns
  }

  /// The position of the first element that differs from another matrix of the same shape; `nil` if none does.
  public func firstDifference(from other: ConstantMatrix) -> (row: Int, column: Int)? {
    precondition(rows == other.rows && columns == other.columns, "comparison of different shapes")
    for row in 0..<rows {
      for column in 0..<columns where unsafe start[row * stride + column] != other.start[row * stride + column] {
        return (row, column)
      }
    }
    return nil
  }

  /// The position of the first element that is infinite or not a number; `nil` if all are finite.
  public var firstNonFinite: (row: Int, column: Int)? {
    for row in 0..<rows {
      for column in 0..<columns where unsafe !start[row * stride + column].isFinite {
        return (row, column)
      }
    }
    return nil
  }
}
