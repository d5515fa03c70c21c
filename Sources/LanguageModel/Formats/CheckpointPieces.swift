internal import TensorKernels

/// Reads the elements of a tensor in order, rounded to binary32, piece by piece. However large the tensor, no more than a
/// piece of it is in memory.
struct CheckpointPieces {
  /// Elements of every piece but the last.
  static let size = 1 << 20

  private let file: MappedFile
  private let tensor: CheckpointFile.Tensor
  private let type: ElementType
  /// How many elements, in order, lie evenly apart, and how far.
  private let run: (count: Int, stride: Int)
  private let count: Int
  private var done = 0

  init(file: MappedFile, tensor: CheckpointFile.Tensor, type: ElementType) {
    self.file = file
    self.tensor = tensor
    self.type = type
    count = tensor.count
    if let extent = tensor.shape.last, let stride = tensor.strides.last,
      tensor.strides != CheckpointFile.strides(of: tensor.shape)
    {
      run = (extent, stride)
    } else {
      run = (tensor.count, 1)
    }
  }

  /// The next piece; `nil` after the last.
  ///
  /// - Throws: if one of its numbers is not finite.
  mutating func next() throws(InputFileError) -> [Float]? {
    guard done < count else { return nil }
    let first = done
    let end = min(first + Self.size, count)
    var piece: [Float] = []
    piece.reserveCapacity(end - first)
    while done < end {
      let place = done % run.count
      let part = min(run.count - place, end - done)
      let start = offset(ofRun: done / run.count) + place * run.stride
      piece += file.floats(
        at: tensor.start + start * tensor.type.byteCount, count: part, stride: run.stride, as: type)
      done += part
    }
    file.releasePages()
    if let index = piece.firstIndex(where: { !$0.isFinite }) {
      throw InputFileError(
        file: file.path, place: tensor.name + place(first + index),
        problem: "expected a finite number, found \(piece[index])",
        advice: "the file is damaged or its training diverged: get or make it again")
    }
    return piece
  }

  /// How many elements a run is from the tensor's first.
  private func offset(ofRun number: Int) -> Int {
    var (offset, rest) = (0, number * run.count)
    for (extent, stride) in zip(tensor.shape, tensor.strides).reversed() {
      offset += rest % extent * stride
      rest /= extent
    }
    return offset
  }

  /// Such as `[3, 7]`.
  private func place(_ index: Int) -> String {
    var (places, rest) = ([String](), index)
    for extent in tensor.shape.reversed() {
      places.append("\(rest % extent)")
      rest /= extent
    }
    return "[" + places.reversed().joined(separator: ", ") + "]"
  }
}
