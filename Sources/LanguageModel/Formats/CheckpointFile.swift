internal import TensorKernels

/// Named tensors in a file, whoever wrote it: safetensors, or `torch.save` (see ``PyTorchFile``). Mapped, and read in
/// pieces, so that a file may be larger than memory.
public struct CheckpointFile: Sendable {
  /// A tensor of the file.
  public struct Tensor: Sendable, Hashable {
    /// Its name.
    public let name: String
    /// How its elements are stored.
    public let type: SafetensorsFile.ElementType
    /// Its extents, outermost first; empty for a scalar.
    public let shape: [Int]
    /// How many elements the neighbours in each extent are apart.
    let strides: [Int]
    /// Its first element's place, in bytes from the start of the file.
    let start: Int
    /// The bytes that it is a view of, counted from the start of the file.
    let stored: Range<Int>

    /// Number of elements.
    public var count: Int { shape.reduce(1, *) }
    /// Bytes that its elements take.
    public var byteCount: Int { count * type.byteCount }

    /// Whether two tensors are the same view of the same bytes.
    func isSameView(as other: Tensor) -> Bool {
      start == other.start && type == other.type && shape == other.shape && strides == other.strides
    }
  }

  private enum Form: Sendable {
    case safetensors
    case pyTorch(PyTorchFile)
  }

  /// The path as it was given.
  public var path: String { file.path }
  /// All tensors.
  public let tensors: [Tensor]
  private let file: MappedFile
  private let form: Form
  private let indices: [String: Int]

  /// Opens a file and checks its layout.
  public init(path: String) throws(InputFileError) {
    do {
      file = try MappedFile(path: path)
    } catch {
      throw InputFileError(error)
    }
    if PyTorchFile.recognises(file) {
      let content = try PyTorchFile(file)
      form = .pyTorch(content)
      tensors = content.tensors
    } else {
      form = .safetensors
      tensors = try SafetensorsHeader(file).tensors.map { tensor in
        Tensor(
          name: tensor.name, type: tensor.type, shape: tensor.shape, strides: Self.strides(of: tensor.shape),
          start: tensor.bytes.lowerBound, stored: tensor.bytes)
      }
    }
    indices = Dictionary(uniqueKeysWithValues: zip(tensors.map(\.name), tensors.indices))
  }

  /// The tensor of a name; `nil` if there is none.
  public subscript(name: String) -> Tensor? {
    indices[name].map { tensors[$0] }
  }

  /// Holds the numbers of tensors against checksums, if the file has any.
  public func requireIntact(_ tensors: [Tensor]) throws(InputFileError) {
    switch form {
    case .safetensors: break
    case .pyTorch(let file): try file.requireIntact(tensors)
    }
  }

  /// Reads a tensor's elements in order, in pieces of at most 4 MiB.
  ///
  /// - Throws: if they are no real numbers.
  func pieces(of tensor: Tensor) throws(InputFileError) -> CheckpointPieces {
    guard let type = tensor.type.real else {
      throw InputFileError(
        file: path, place: tensor.name,
        problem: "expected elements of type F32, F16, BF16 or F64, found \(tensor.type.rawValue)")
    }
    return CheckpointPieces(file: file, tensor: tensor, type: type)
  }

  /// The strides of a tensor whose elements follow each other.
  static func strides(of shape: [Int]) -> [Int] {
    var strides: [Int] = []
    var stride = 1
    for extent in shape.reversed() {
      strides.append(stride)
      // Of a tensor without elements they mean nothing, and may be too large for a number.
      stride &*= max(extent, 1)
    }
    return strides.reversed()
  }
}
