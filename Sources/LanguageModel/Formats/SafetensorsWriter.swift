internal import Foundation
internal import TensorKernels

extension SafetensorsFile {
  /// A tensor to be written.
  public struct Content: Sendable {
    /// Its elements, last extent fastest, and with them how they are stored.
    public enum Elements: Sendable {
      /// As F32.
      case float32([Float])
      /// As F64.
      case float64([Double])

      /// Number of elements.
      public var count: Int {
        switch self {
        case .float32(let elements): elements.count
        case .float64(let elements): elements.count
        }
      }

      /// How they are stored.
      var type: ElementType {
        switch self {
        case .float32: .float32
        case .float64: .float64
        }
      }
    }

    /// Its name.
    public let name: String
    /// Its extents, outermost first.
    public let shape: [Int]
    /// Its elements, as they are stored.
    public let stored: Elements

    /// Its elements, rounded to binary32.
    public var elements: [Float] {
      switch stored {
      case .float32(let elements): elements
      case .float64(let elements): elements.map { Float($0) }
      }
    }

    /// Creates a tensor of F32. Traps unless there are as many elements as the shape says.
    public init(name: String, shape: [Int], elements: [Float]) {
      self.init(name: name, shape: shape, stored: .float32(elements))
    }

    /// Creates a tensor. Traps unless there are as many elements as the shape says.
    public init(name: String, shape: [Int], stored: Elements) {
      precondition(stored.count == shape.reduce(1, *), "\(name): \(stored.count) elements for shape \(shape)")
      self.name = name
      self.shape = shape
      self.stored = stored
    }
  }

  /// Writes tensors, sorted by name, with their data aligned to 8 bytes, those of the wider type first. Equal content
  /// gives equal bytes; the file replaces an older one only when it is complete. Traps on two tensors of one name.
  public static func write(
    _ tensors: [Content], metadata: [String: String] = [:], to path: String
  ) throws(InputFileError) {
    // Wider elements first, so that all are aligned in the file whatever stands before them.
    let tensors = tensors.sorted {
      ($1.stored.type.byteCount, $0.name) < ($0.stored.type.byteCount, $1.name)
    }
    var bytes = header(tensors.map { ($0.name, $0.stored.type, $0.shape) }, metadata: metadata)
    bytes.reserveCapacity(bytes.count + tensors.reduce(0) { $0 + $1.stored.count * $1.stored.type.byteCount })
    for tensor in tensors {
      switch tensor.stored {
      case .float32(let elements): for element in elements { appendLittleEndian(element.bitPattern, to: &bytes) }
      case .float64(let elements): for element in elements { appendLittleEndian(element.bitPattern, to: &bytes) }
      }
    }
    try writeFile(path, bytes)
  }

  /// A tensor that is copied from a checkpoint, as F32.
  struct Copy {
    let name: String
    let source: CheckpointFile
    let tensor: CheckpointFile.Tensor
  }

  /// Writes a new file of tensors from checkpoints, a piece at a time, in the form of ``write(_:metadata:to:)``.
  ///
  /// - Throws: if there is a file, if a number is not finite, or if the disk takes no more. A part may then be written.
  static func write(copies: [Copy], to path: String) throws(InputFileError) {
    let copies = copies.sorted { $0.name < $1.name }
    do {
      let stream = try FileStream(path: path)
      try stream.append(header(copies.map { ($0.name, .float32, $0.tensor.shape) }, metadata: [:]))
      for copy in copies {
        var pieces = try copy.source.pieces(of: copy.tensor)
        while let piece = try pieces.next() { try stream.append(piece) }
      }
      try stream.finish()
    } catch let error as InputFileError {
      throw error
    } catch let error as MappedFileError {
      throw InputFileError(
        file: path, problem: "cannot write the file: \(error.reason)",
        advice: "check the folder, its permissions and the free space")
    } catch {
      preconditionFailure("an error of no kind that is thrown here: \(error)")
    }
  }

  /// The length and the text of a header for tensors whose data follow each other in this order.
  private static func header(
    _ tensors: [(name: String, type: ElementType, shape: [Int])], metadata: [String: String]
  ) -> [UInt8] {
    precondition(Set(tensors.map(\.name)).count == tensors.count, "two tensors of one name")
    var entries: [String] = []
    if !metadata.isEmpty {
      let texts = metadata.sorted { $0.key < $1.key }.map { "\(jsonText($0)):\(jsonText($1))" }
      entries.append("\"__metadata__\":{\(texts.joined(separator: ","))}")
    }
    var end = 0
    for (name, type, shape) in tensors {
      let start = end
      end += shape.reduce(1, *) * type.byteCount
      let extents = shape.map(String.init).joined(separator: ",")
      entries.append(
        "\(jsonText(name)):{\"dtype\":\"\(type.rawValue)\",\"shape\":[\(extents)],"
          + "\"data_offsets\":[\(start),\(end)]}")
    }
    var text = Array("{\(entries.joined(separator: ","))}".utf8)
    text += Array(repeating: UInt8(ascii: " "), count: -text.count & 7)
    var bytes: [UInt8] = []
    appendLittleEndian(UInt64(text.count), to: &bytes)
    return bytes + text
  }
}

private func appendLittleEndian<Number: FixedWidthInteger>(_ number: Number, to bytes: inout [UInt8]) {
  for shift in stride(from: 0, to: Number.bitWidth, by: 8) {
    bytes.append(UInt8(truncatingIfNeeded: number >> Number(shift)))
  }
}

/// A text in JSON's quotes.
private func jsonText(_ text: String) -> String {
  let encoder = JSONEncoder()
  encoder.outputFormatting = .withoutEscapingSlashes
  do {
    return String(decoding: try encoder.encode(text), as: UTF8.self)
  } catch {
    preconditionFailure("a text that JSON cannot hold: \(error)")
  }
}
