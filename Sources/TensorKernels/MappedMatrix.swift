extension ConstantMatrix {
  /// The `rows * columns` numbers of a mapped file that begin at `byteOffset`, row by row.
  ///
  /// Aligned binary32 is used in place: its pages are shared with every other process that maps the file, and the
  /// matrix keeps the mapping alive. Anything else is converted into a copy. Traps if the numbers leave the file.
  public init(mapped file: MappedFile, byteOffset: Int, rows: Int, columns: Int, elementType: ElementType) {
    precondition(rows > 0 && columns > 0, "a mapped matrix has rows and columns")
    let (count, overflow) = rows.multipliedReportingOverflow(by: columns)
    precondition(!overflow, "\(rows) x \(columns) elements lie outside \(file.path)")
    if elementType == .float32, byteOffset.isMultiple(of: MemoryLayout<Float>.alignment) {
      let numbers = unsafe file.float32Numbers(at: byteOffset, count: count)
      unsafe self.init(owner: file, base: numbers, rows: rows, columns: columns)
    } else {
      let numbers = file.floats(at: byteOffset, count: count, as: elementType)
      self.init(rows: rows, columns: columns, elements: numbers)
    }
  }
}
