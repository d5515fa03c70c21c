internal import TensorKernels

/// The checked directory of a safetensors file.
struct SafetensorsHeader {
  /// Shorter files cannot hold the header's length.
  static let lengthBytes = 8

  let tensors: [SafetensorsFile.Tensor]
  let metadata: [String: String]

  init(_ file: MappedFile) throws(InputFileError) {
    let path = file.path
    let cutOff = "the file is cut off or not a safetensors file: get or make it again"
    guard file.count >= Self.lengthBytes else {
      throw InputFileError(
        file: path, problem: "expected at least \(Self.lengthBytes) bytes, found \(file.count)", advice: cutOff)
    }
    let length = littleEndian(file.bytes(in: 0..<Self.lengthBytes))
    let room = min(file.count - Self.lengthBytes, SafetensorsFile.largestHeader)
    guard length <= UInt64(room) else {
      throw InputFileError(
        file: path, place: "header", problem: "expected a length of at most \(room) bytes, found \(length)",
        advice: cutOff)
    }
    let start = Self.lengthBytes + Int(length)
    let document: JSONValue
    do {
      document = try JSONValue(parsing: file.bytes(in: Self.lengthBytes..<start))
    } catch {
      throw InputFileError(
        file: path, place: "header, byte \(Self.lengthBytes + error.offset)", problem: error.problem, advice: cutOff)
    }
    guard let directory = document.object else {
      throw InputFileError(file: path, place: "header", problem: "expected an object, found \(document.kind)")
    }
    var tensors: [SafetensorsFile.Tensor] = []
    var metadata: [String: String] = [:]
    for (name, value) in directory.members {
      if name == "__metadata__" {
        metadata = try Self.metadata(value, path)
      } else {
        tensors.append(try Self.tensor(name, value, path, start))
      }
    }
    tensors.sort { ($0.bytes.lowerBound, $0.bytes.upperBound) < ($1.bytes.lowerBound, $1.bytes.upperBound) }
    try Self.checkTiling(tensors, start..<file.count, path)
    self.tensors = tensors
    self.metadata = metadata
  }

  private static func metadata(_ value: JSONValue, _ path: String) throws(InputFileError) -> [String: String] {
    guard let object = value.object else {
      throw InputFileError(
        file: path, place: "__metadata__", problem: "expected an object of texts, found \(value.kind)")
    }
    var metadata: [String: String] = [:]
    for (key, value) in object.members {
      guard let text = value.string else {
        throw InputFileError(file: path, place: "__metadata__.\(key)", problem: "expected text, found \(value.kind)")
      }
      metadata[key] = text
    }
    return metadata
  }

  private static func tensor(
    _ name: String, _ value: JSONValue, _ path: String, _ start: Int
  ) throws(InputFileError) -> SafetensorsFile.Tensor {
    func wrong(_ key: String, _ expected: String, _ found: JSONValue?) -> InputFileError {
      InputFileError(
        file: path, place: "tensor \(quoted(name)), \(key)",
        problem: "expected \(expected), found \(found.map(\.kind) ?? "nothing")")
    }
    func naturals(_ key: String, _ expected: String) throws(InputFileError) -> [Int] {
      guard let values = value.object?[key]?.array else { throw wrong(key, expected, value.object?[key]) }
      var numbers: [Int] = []
      for value in values {
        guard let number = value.integer, number >= 0 else { throw wrong(key, expected, value) }
        numbers.append(number)
      }
      return numbers
    }
    guard let type = (value.object?["dtype"]?.string).flatMap(SafetensorsFile.ElementType.init(rawValue:)) else {
      let known = SafetensorsFile.ElementType.allCases.map(\.rawValue).joined(separator: ", ")
      throw wrong("dtype", "one of \(known)", value.object?["dtype"])
    }
    let shape = try naturals("shape", "an array of whole numbers from 0")
    let offsets = try naturals("data_offsets", "two whole numbers from 0, ascending")
    guard offsets.count == 2, offsets[0] <= offsets[1] else {
      throw InputFileError(
        file: path, place: "tensor \(quoted(name)), data_offsets",
        problem: "expected two whole numbers from 0, ascending, found \(offsets)")
    }
    var size = type.byteCount
    for extent in shape {
      let (product, overflow) = size.multipliedReportingOverflow(by: extent)
      guard !overflow else {
        throw InputFileError(
          file: path, place: "tensor \(quoted(name)), shape",
          problem: "expected a size that can be addressed, found \(shape)")
      }
      size = product
    }
    guard offsets[1] - offsets[0] == size else {
      throw InputFileError(
        file: path, place: "tensor \(quoted(name)), data_offsets",
        problem: "expected \(size) bytes for \(type.rawValue) \(shape), found \(offsets[1] - offsets[0])")
    }
    let (end, overflow) = start.addingReportingOverflow(offsets[1])
    guard !overflow else {
      throw InputFileError(
        file: path, place: "tensor \(quoted(name)), data_offsets",
        problem: "expected a place that can be addressed, found \(offsets)")
    }
    return SafetensorsFile.Tensor(name: name, type: type, shape: shape, bytes: start + offsets[0]..<end)
  }

  /// Checks that tensors, sorted by place, fill the data part of the file.
  private static func checkTiling(
    _ tensors: [SafetensorsFile.Tensor], _ data: Range<Int>, _ path: String
  ) throws(InputFileError) {
    var end = data.lowerBound
    for tensor in tensors {
      guard tensor.bytes.upperBound <= data.upperBound else {
        throw InputFileError(
          file: path, place: "tensor \(quoted(tensor.name))",
          problem: "expected its end within the \(data.upperBound) bytes of the file, found \(tensor.bytes.upperBound)",
          advice: "the file is cut off: get or make it again")
      }
      guard tensor.bytes.lowerBound == end else {
        throw InputFileError(
          file: path, place: "tensor \(quoted(tensor.name))",
          problem: "expected its first byte at \(end), where the tensor before ends, found "
            + "\(tensor.bytes.lowerBound): " + (tensor.bytes.lowerBound < end ? "they overlap" : "there is a hole"))
      }
      end = tensor.bytes.upperBound
    }
    guard end == data.upperBound else {
      throw InputFileError(
        file: path,
        problem: "expected the end of the file after the last tensor, at byte \(end), found "
          + "\(data.upperBound - end) more bytes")
    }
  }
}
