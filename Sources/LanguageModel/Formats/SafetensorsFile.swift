public import TensorKernels

/// A safetensors file, mapped: an 8-byte little-endian header length, a JSON header, and the tensors' bytes.
///
/// The layout is checked as a whole when the file is opened, so that everything read later is known to lie within
/// it: every tensor's bytes follow the one before without hole or overlap, fit its type and shape, and end with the
/// file. Format: https://github.com/huggingface/safetensors (format section of its README).
public struct SafetensorsFile: Sendable {
  /// A tensor of the file.
  public struct Tensor: Sendable, Hashable {
    /// Its name.
    public let name: String
    /// How its elements are stored.
    public let type: ElementType
    /// Its extents, outermost first; empty for a scalar.
    public let shape: [Int]
    /// Its bytes, counted from the start of the file.
    public let bytes: Range<Int>

    /// Number of elements.
    public var count: Int { shape.reduce(1, *) }
  }

  /// How elements are stored: the names of the format.
  public enum ElementType: String, Sendable, Hashable, CaseIterable {
    case float64 = "F64", float32 = "F32", float16 = "F16", bfloat16 = "BF16"
    case int64 = "I64", int32 = "I32", int16 = "I16", int8 = "I8"
    case uint64 = "U64", uint32 = "U32", uint16 = "U16", uint8 = "U8"
    case bool = "BOOL"

    /// Bytes per element.
    public var byteCount: Int {
      switch self {
      case .float64, .int64, .uint64: 8
      case .float32, .int32, .uint32: 4
      case .float16, .bfloat16, .int16, .uint16: 2
      case .int8, .uint8, .bool: 1
      }
    }

    /// The same type as the kernels know it; `nil` if it does not hold real numbers.
    var real: TensorKernels.ElementType? { TensorKernels.ElementType(rawValue: rawValue) }
  }

  /// The format's own limit on its header, in bytes.
  static let largestHeader = 100_000_000

  /// The path as it was given.
  public var path: String { file.path }
  /// All tensors, by ascending place in the file.
  public let tensors: [Tensor]
  /// The free-form texts of the header.
  public let metadata: [String: String]

  private let file: MappedFile
  private let indices: [String: Int]

  /// Opens a file and checks its header.
  public init(path: String) throws(InputFileError) {
    do {
      file = try MappedFile(path: path)
    } catch {
      throw InputFileError(error)
    }
    let header = try SafetensorsHeader(file)
    tensors = header.tensors
    metadata = header.metadata
    indices = Dictionary(uniqueKeysWithValues: tensors.indices.map { (header.tensors[$0].name, $0) })
  }

  /// The tensor of a name; `nil` if there is none.
  public subscript(name: String) -> Tensor? {
    indices[name].map { tensors[$0] }
  }

  /// The tensor of a name, which must have this shape; `nil` extents may be anything but 0.
  public func tensor(_ name: String, shape: [Int?]) throws(InputFileError) -> Tensor {
    guard let tensor = self[name] else {
      throw InputFileError(
        file: path, place: name, problem: "expected this tensor, found no such tensor among \(tensors.count)",
        advice: nearestName(name).map { "the nearest name is \($0)" } ?? "check that this is the right file")
    }
    let fits =
      tensor.shape.count == shape.count
      && zip(tensor.shape, shape).allSatisfy { found, expected in expected.map { $0 == found } ?? (found > 0) }
    guard fits else {
      let expected = shape.map { $0.map { "\($0)" } ?? "any" }.joined(separator: ", ")
      throw InputFileError(
        file: path, place: name, problem: "expected shape [\(expected)], found \(tensor.shape)",
        advice: "check that the file and the model's configuration belong together")
    }
    return tensor
  }

  /// A matrix `[rows, columns]`: in place if it is aligned F32, else converted from F16, BF16 or F64.
  ///
  /// Its numbers are not looked at; see ``requireFinite(_:_:)``.
  public func matrix(_ name: String, rows: Int?, columns: Int?) throws(InputFileError) -> ConstantMatrix {
    let tensor = try tensor(name, shape: [rows, columns])
    return ConstantMatrix(
      mapped: file, byteOffset: tensor.bytes.lowerBound, rows: tensor.shape[0], columns: tensor.shape[1],
      elementType: try real(tensor))
  }

  /// A vector `[count]` as a matrix of one row, under the rules of ``matrix(_:rows:columns:)``.
  public func row(_ name: String, count: Int?) throws(InputFileError) -> ConstantMatrix {
    let tensor = try tensor(name, shape: [count])
    return ConstantMatrix(
      mapped: file, byteOffset: tensor.bytes.lowerBound, rows: 1, columns: tensor.shape[0],
      elementType: try real(tensor))
  }

  /// All elements of a tensor of real numbers, rounded to binary32.
  public func floats(_ tensor: Tensor) throws(InputFileError) -> [Float] {
    file.floats(at: tensor.bytes.lowerBound, count: tensor.count, as: try real(tensor))
  }

  /// All elements of a tensor of real numbers, exact.
  public func doubles(_ tensor: Tensor) throws(InputFileError) -> [Double] {
    file.doubles(at: tensor.bytes.lowerBound, count: tensor.count, as: try real(tensor))
  }

  /// Gives the memory of what has been read back to the system. Matrices that are used in place stay what they are, and
  /// are read again when they are needed.
  public func releasePages() {
    file.releasePages()
  }

  /// All elements of an I64 tensor.
  public func integers(_ tensor: Tensor) throws(InputFileError) -> [Int64] {
    guard tensor.type == .int64 else { throw wrongType(tensor, expected: "I64") }
    let bytes = file.bytes(in: tensor.bytes)
    return (0..<tensor.count).map { element in
      Int64(bitPattern: littleEndian(bytes[element * 8..<element * 8 + 8]))
    }
  }

  /// Checks that a matrix that was read from the tensor `name` holds finite numbers only.
  public func requireFinite(_ matrix: ConstantMatrix, _ name: String) throws(InputFileError) {
    guard let (row, column) = matrix.firstNonFinite else { return }
    let place = self[name]?.shape.count == 1 ? "\(name)[\(column)]" : "\(name)[\(row), \(column)]"
    throw InputFileError(
      file: path, place: place, problem: "expected a finite number, found \(matrix[row, column])",
      advice: "the file is damaged or its training diverged: get or make it again")
  }

  private func real(_ tensor: Tensor) throws(InputFileError) -> TensorKernels.ElementType {
    guard let type = tensor.type.real else { throw wrongType(tensor, expected: "F32, F16, BF16 or F64") }
    return type
  }

  private func wrongType(_ tensor: Tensor, expected: String) -> InputFileError {
    InputFileError(
      file: path, place: tensor.name,
      problem: "expected elements of type \(expected), found \(tensor.type.rawValue)")
  }

  /// The name that shares the longest beginning and end with the one looked for, if it shares most of it.
  private func nearestName(_ name: String) -> String? {
    func likeness(_ other: String) -> Int {
      let beginning = zip(name, other).prefix { $0 == $1 }.count
      let end = zip(name.reversed(), other.reversed()).prefix { $0 == $1 }.count
      return beginning + end
    }
    let nearest = tensors.map(\.name).max { likeness($0) < likeness($1) }
    return nearest.flatMap { likeness($0) * 2 > name.count ? $0 : nil }
  }
}

/// A number from at most eight bytes, least significant first.
func littleEndian(_ bytes: some BidirectionalCollection<UInt8>) -> UInt64 {
  bytes.reversed().reduce(0) { $0 << 8 | UInt64($1) }
}
