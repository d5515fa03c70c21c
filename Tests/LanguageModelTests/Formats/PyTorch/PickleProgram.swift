/// A pickle, put together instruction by instruction.
struct PickleProgram {
  var bytes: [UInt8] = [0x80, 2]

  init() {}

  /// Instructions without operands, and operands in raw bytes.
  mutating func add(_ bytes: UInt8...) { self.bytes += bytes }

  /// `BINUNICODE`.
  mutating func text(_ text: String) {
    add(UInt8(ascii: "X"))
    bytes += Self.number(text.utf8.count, 4) + Array(text.utf8)
  }

  /// `BININT`, or `LONG1` where that is too small.
  mutating func integer(_ value: Int) {
    if let small = Int32(exactly: value) {
      bytes += [UInt8(ascii: "J")] + Self.number(Int(UInt32(bitPattern: small)), 4)
    } else {
      bytes += [0x8A, 8] + Self.number(value, 8)
    }
  }

  /// `GLOBAL`.
  mutating func global(_ module: String, _ name: String) {
    bytes += Array("c\(module)\n\(name)\n".utf8)
  }

  /// A tuple of whole numbers.
  mutating func tuple(_ values: [Int]) {
    add(UInt8(ascii: "("))
    values.forEach { integer($0) }
    add(UInt8(ascii: "t"))
  }

  /// A storage.
  mutating func storage(_ key: String, type: String = "FloatStorage", count: Int) {
    add(UInt8(ascii: "("))
    text("storage")
    global("torch", type)
    text(key)
    text("cpu")
    integer(count)
    add(UInt8(ascii: "t"), UInt8(ascii: "Q"))
  }

  /// A tensor.
  mutating func tensor(
    _ key: String, type: String = "FloatStorage", count: Int, offset: Int = 0, shape: [Int], strides: [Int]
  ) {
    global("torch._utils", "_rebuild_tensor_v2")
    add(UInt8(ascii: "("))
    storage(key, type: type, count: count)
    integer(offset)
    tuple(shape)
    tuple(strides)
    add(0x89)
    global("collections", "OrderedDict")
    add(UInt8(ascii: ")"), UInt8(ascii: "R"), UInt8(ascii: "t"), UInt8(ascii: "R"))
  }

  /// A dictionary of one key.
  static func dictionary(_ key: String, _ value: (inout PickleProgram) -> Void) -> [UInt8] {
    var program = PickleProgram()
    program.add(UInt8(ascii: "}"))
    program.text(key)
    value(&program)
    program.add(UInt8(ascii: "s"), UInt8(ascii: "."))
    return program.bytes
  }

  /// A number of so many bytes, least significant first.
  static func number(_ value: Int, _ width: Int) -> [UInt8] {
    (0..<width).map { $0 < 8 ? UInt8(truncatingIfNeeded: value >> (8 * $0)) : 0 }
  }
}
