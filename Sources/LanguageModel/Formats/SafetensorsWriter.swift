internal import Foundation

extension SafetensorsFile {
  /// A tensor to be written, as F32.
  public struct Content: Sendable {
    /// Its name.
    public let name: String
    /// Its extents, outermost first.
    public let shape: [Int]
    /// Its elements, last extent fastest.
    public let elements: [Float]

    /// Creates a tensor. Traps unless there are as many elements as the shape says.
    public init(name: String, shape: [Int], elements: [Float]) {
      precondition(elements.count == shape.reduce(1, *), "\(name): \(elements.count) elements for shape \(shape)")
      self.name = name
      self.shape = shape
      self.elements = elements
    }
  }

  /// Writes tensors, sorted by name, with their data aligned to 8 bytes. Equal content gives equal bytes; the file
  /// replaces an older one only when it is complete. Traps on two tensors of one name.
  public static func write(
    _ tensors: [Content], metadata: [String: String] = [:], to path: String
  ) throws(InputFileError) {
    let tensors = tensors.sorted { $0.name < $1.name }
    precondition(Set(tensors.map(\.name)).count == tensors.count, "two tensors of one name in \(path)")
    var entries: [String] = []
    if !metadata.isEmpty {
      let texts = metadata.sorted { $0.key < $1.key }.map { "\(jsonText($0)):\(jsonText($1))" }
      entries.append("\"__metadata__\":{\(texts.joined(separator: ","))}")
    }
    var end = 0
    for tensor in tensors {
      let start = end
      end += tensor.elements.count * ElementType.float32.byteCount
      let extents = tensor.shape.map(String.init).joined(separator: ",")
      entries.append(
        "\(jsonText(tensor.name)):{\"dtype\":\"F32\",\"shape\":[\(extents)],\"data_offsets\":[\(start),\(end)]}")
    }
    var header = Array("{\(entries.joined(separator: ","))}".utf8)
    header += Array(repeating: UInt8(ascii: " "), count: -header.count & 7)

    var bytes: [UInt8] = []
    bytes.reserveCapacity(SafetensorsHeader.lengthBytes + header.count + end)
    appendLittleEndian(UInt64(header.count), to: &bytes)
    bytes += header
    for tensor in tensors {
      for element in tensor.elements {
        appendLittleEndian(element.bitPattern, to: &bytes)
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
