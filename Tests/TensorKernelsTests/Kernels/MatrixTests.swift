import TensorKernels
import Testing

@Suite("Matrices")
struct MatrixTests {
  private let counted = Matrix(rows: 3, columns: 4, elements: (0..<12).map(Float.init))

  @Test("views see the matrix that they were taken from")
  func views() {
    let view = counted.rows(1..<3).columns(1..<3)
    #expect(view.copyOfElements() == [5, 6, 9, 10])
    view[1, 0] = -1
    #expect(counted[2, 1] == -1)
    counted[1, 2] = 99
    #expect(view[0, 1] == 99)
    #expect(view.stride == 4 && view.rows == 2 && view.columns == 2)
  }

  @Test("writing to a view leaves the rest of the matrix alone")
  func writes() {
    counted.columns(1..<3).fill(7)
    #expect(counted.copyOfElements() == [0, 7, 7, 3, 4, 7, 7, 7, 8, 7, 7, 11])
    counted.rows(0..<2).columns(3..<4).scale(by: 2)
    #expect(counted.copyOfElements() == [0, 7, 7, 6, 4, 7, 7, 14, 8, 7, 7, 11])
    counted.columns(0..<2).copy(from: Matrix(rows: 3, columns: 2, elements: [1, 2, 3, 4, 5, 6]))
    #expect(counted.copyOfElements() == [1, 2, 7, 6, 3, 4, 7, 14, 5, 6, 7, 11])
  }

  @Test("copies are apart from what they were copied from")
  func copies() {
    let copy = Matrix(copying: counted.columns(2..<4))
    let frozen = ConstantMatrix(copying: counted.columns(2..<4))
    counted.fill(0)
    #expect(copy.copyOfElements() == [2, 3, 6, 7, 10, 11])
    #expect(frozen.copyOfElements() == [2, 3, 6, 7, 10, 11])
    #expect(copy.stride == 2 && frozen.stride == 2)
  }

  @Test("rows are gathered, and their gradients scattered back, repetitions included")
  func gatherScatter() {
    let rows = Matrix(rows: 3, columns: 4)
    rows.gather([2, 0, 2], from: counted)
    #expect(rows.copyOfElements() == [8, 9, 10, 11, 0, 1, 2, 3, 8, 9, 10, 11])
    let table = Matrix(rows: 3, columns: 4, elements: [Float](repeating: 1, count: 12))
    rows.scatterAdd([2, 0, 2], into: table)
    #expect(table.copyOfElements() == [1, 2, 3, 4, 1, 1, 1, 1, 17, 19, 21, 23])
  }

  @Test("signs are added, and elements above a number are counted")
  func signs() {
    let signs = Matrix(rows: 2, columns: 3, elements: [5, -0.1, 0, -.infinity, .nan, 1e-30])
    let view = counted.rows(1..<3).columns(1..<4)
    view.addSigns(of: signs, scale: 0.5)
    #expect(view.copyOfElements() == [5.5, 5.5, 7, 8.5, 10, 11.5])
    #expect(counted[1, 0] == 4)
    #expect(view.count(above: 7) == 3 && signs.count(above: 0) == 2)
  }

  @Test("clipping stays within a view and keeps what is not a number")
  func clipping() {
    counted[1, 1] = .nan
    counted.columns(1..<4).clip(to: 2...6)
    #expect(counted.copyOfRow(0) == [0, 2, 2, 3] && counted.copyOfRow(2) == [8, 6, 6, 6])
    #expect(counted[1, 0] == 4 && counted[1, 1].isNaN && counted[1, 3] == 6)
    counted.rows(2..<3).clip(to: 6.5 ... .infinity)
    #expect(counted.copyOfRow(2) == [8, 6.5, 6.5, 6.5])
  }

  @Test("sums, column factors, repetitions and transposes")
  func arithmetic() {
    let sum = Matrix(copying: counted)
    sum.add(counted, scale: -0.5)
    #expect(sum.copyOfElements() == (0..<12).map { Float($0) / 2 })
    sum.scaleColumns(by: Matrix(rows: 1, columns: 4, elements: [0, 2, 4, -2]))
    #expect(sum.copyOfRow(1) == [0, 5, 12, -7])
    sum.addToRows(counted.rows(2..<3))
    #expect(sum.copyOfRow(1) == [8, 14, 22, 4])
    #expect(counted.columns(1..<3).transposed().copyOfElements() == [1, 5, 9, 2, 6, 10])
    #expect(counted.rows(2..<3).repeated(2).copyOfElements() == [8, 9, 10, 11, 8, 9, 10, 11])
    #expect(counted.rows(0..<1).sumOfSquares == 14)
  }

  @Test("one element that is not finite is found")
  func finite() {
    #expect(counted.isFinite && counted.columns(1..<2).isFinite)
    counted[2, 1] = .infinity
    #expect(!counted.isFinite && !counted.columns(1..<2).isFinite && counted.columns(2..<4).isFinite)
    let frozen = ConstantMatrix(copying: counted)
    #expect(frozen.firstNonFinite.map { [$0.row, $0.column] } == [2, 1])
    counted[2, 1] = 9
    #expect(ConstantMatrix(copying: counted).firstNonFinite == nil)
    #expect(frozen.firstDifference(from: ConstantMatrix(copying: counted)).map { [$0.row, $0.column] } == [2, 1])
    #expect(frozen.firstDifference(from: frozen) == nil)
  }

  @Test("of no rows are allowed")
  func empty() {
    let none = counted.rows(3..<3)
    none.fill(1)
    #expect(none.copyOfElements() == [] && none.isFinite && none.transposed().rows == 4)
  }

  @Test("reading or taking a view beyond the matrix traps")
  func bounds() async {
    await #expect(processExitsWith: .failure) { _ = Matrix(rows: 3, columns: 4)[2, 4] }
    await #expect(processExitsWith: .failure) { _ = Matrix(rows: 3, columns: 4).columns(2..<5) }
    await #expect(processExitsWith: .failure) {
      Matrix(rows: 1, columns: 4).gather([3], from: Matrix(rows: 3, columns: 4))
    }
  }
}
