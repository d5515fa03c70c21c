internal import Foundation

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

  /// Writes tensors, sorted by name, with their data aligned to 8 bytes, those of the wider type first. Equal content gives equal bytes; the file
  /// replaces an older one only when it is complete. Traps on two tensors of one name.
  public static func write(
    _ tensors: [Content], metadata: [String: String] = [:], to path: String
  ) throws(InputFileError) {
    // Wider elements first, so that all are aligned in the file whatever stands before them.
    let tensors = tensors.sorted {
      ($1.stored.type.byteCount, $0.name) < ($0.stored.type.byteCount, $1.name)
    }
    precondition(Set(tensors.map(\.name)).count == tensors.count, "two tensors of one name in \(path)")
    var entries: [String] = []
    if !metadata.isEmpty {
      let texts = metadata.sorted { $0.key < $1.key }.map { "\(jsonText($0)):\(jsonText($1))" }
      entries.append("\"__metadata__\":{\(texts.joined(separator: ","))}")
    }
    var end = 0
    for tensor in tensors {
      let start = end
      let type = tensor.stored.type
      end += tensor.stored.count * type.byteCount
      let extents = tensor.shape.map(String.init).joined(separator: ",")
      entries.append(
        "\(jsonText(tensor.name)):{\"dtype\":\"\(type.rawValue)\",\"shape\":[\(extents)],"
          + "\"data_offsets\":[\(start),\(end)]}")
    }
    var header = Array("{\(entries.joined(separator: ","))}".utf8)
    header += Array(repeating: UInt8(ascii: " "), count: -header.count & 7)

    var bytes: [UInt8] = []
    bytes.reserveCapacity(SafetensorsHeader.lengthBytes + header.count + end)
    appendLittleEndian(UInt64(header.count), to: &bytes)
    bytes += header
    for tensor in tensors {
      switch tensor.stored {
      case .float32(let elements): for element in elements { appendLittleEndian(element.bitPattern, to: &bytes) }
      case .float64(let elements): for element in elements { appendLittleEndian(element.bitPattern, to: &bytes) }
      }
    }
    try writeFile(path, bytes)
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
