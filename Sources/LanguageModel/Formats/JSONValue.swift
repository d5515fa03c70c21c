/// A JSON document (RFC 8259), read strictly.
///
/// Foundation's decoders compare keys by canonical equivalence and keep one of two equal keys silently. Tokenizer
/// vocabularies and tensor directories must tell such keys apart and refuse duplicates, so keys here are compared
/// scalar by scalar, members keep their order, and a repeated key is an error.
enum JSONValue: Sendable {
  case null
  case bool(Bool)
  case integer(Int)
  case real(Double)
  case string(String)
  case array([JSONValue])
  case object(JSONObject)

  /// Reads a document that holds one value and nothing else but white space.
  ///
  /// Time is proportional to the size; values may be nested ``JSONParser/deepestNesting`` deep.
  init(parsing bytes: [UInt8]) throws(JSONSyntaxError) {
    var parser = JSONParser(bytes: bytes)
    self = try parser.document()
  }

  /// What kind of value this is, for messages.
  var kind: String {
    switch self {
    case .null: "null"
    case .bool(let value): value ? "true" : "false"
    case .integer(let value): "\(value)"
    case .real(let value): "\(value)"
    case .string(let value): quoted(value)
    case .array(let values): "an array of \(values.count)"
    case .object: "an object"
    }
  }

  /// The text, if this is a string.
  var string: String? { if case .string(let value) = self { value } else { nil } }
  /// The number, if this is an integer.
  var integer: Int? { if case .integer(let value) = self { value } else { nil } }
  /// The truth value, if this is one.
  var bool: Bool? { if case .bool(let value) = self { value } else { nil } }
  /// The elements, if this is an array.
  var array: [JSONValue]? { if case .array(let value) = self { value } else { nil } }
  /// The members, if this is an object.
  var object: JSONObject? { if case .object(let value) = self { value } else { nil } }
  /// The number, if this is any number.
  var number: Double? {
    switch self {
    case .integer(let value): Double(value)
    case .real(let value): value
    default: nil
    }
  }
}

/// The members of a JSON object in the order of the document; no two keys are equal.
struct JSONObject: Sendable {
  let members: [(key: String, value: JSONValue)]

  /// The value of a key; `nil` where there is none. Takes time proportional to the number of members.
  subscript(key: String) -> JSONValue? {
    members.first { $0.key.utf8.elementsEqual(key.utf8) }?.value
  }
}

/// Why a text is not JSON.
struct JSONSyntaxError: Error {
  /// Bytes before the place.
  let offset: Int
  /// What was expected there and what was found.
  let problem: String
}

/// A recursive-descent reader over bytes.
private struct JSONParser {
  /// Documents nested deeper are refused, so that no document can exhaust the stack.
  static let deepestNesting = 64

  private let bytes: [UInt8]
  private var position = 0
  private var depth = 0

  init(bytes: [UInt8]) {
    self.bytes = bytes
    if bytes.starts(with: [0xef, 0xbb, 0xbf]) { position = 3 }
  }

  mutating func document() throws(JSONSyntaxError) -> JSONValue {
    let value = try value()
    skipWhiteSpace()
    guard position == bytes.count else { throw unexpected("the end of the document") }
    return value
  }

  private mutating func value() throws(JSONSyntaxError) -> JSONValue {
    skipWhiteSpace()
    switch peek {
    case UInt8(ascii: "{"): return .object(try nested { (parser) throws(JSONSyntaxError) in try parser.object() })
    case UInt8(ascii: "["): return .array(try nested { (parser) throws(JSONSyntaxError) in try parser.array() })
    case UInt8(ascii: "\""): return .string(try string())
    case UInt8(ascii: "t"): return try word("true", .bool(true))
    case UInt8(ascii: "f"): return try word("false", .bool(false))
    case UInt8(ascii: "n"): return try word("null", .null)
    default: return try number()
    }
  }

  private mutating func nested<Value>(
    _ read: (inout JSONParser) throws(JSONSyntaxError) -> Value
  ) throws(JSONSyntaxError) -> Value {
    guard depth < Self.deepestNesting else {
      throw JSONSyntaxError(offset: position, problem: "values are nested more than \(Self.deepestNesting) deep")
    }
    depth += 1
    defer { depth -= 1 }
    return try read(&self)
  }

  private mutating func object() throws(JSONSyntaxError) -> JSONObject {
    position += 1
    var members: [(key: String, value: JSONValue)] = []
    var keys: Set<[UInt8]> = []
    skipWhiteSpace()
    if take(UInt8(ascii: "}")) { return JSONObject(members: []) }
    while true {
      skipWhiteSpace()
      let start = position
      guard peek == UInt8(ascii: "\"") else { throw unexpected("a key in quotes") }
      let key = try string()
      guard keys.insert(Array(key.utf8)).inserted else {
        throw JSONSyntaxError(offset: start, problem: "the key \(quoted(key)) occurs twice in one object")
      }
      skipWhiteSpace()
      guard take(UInt8(ascii: ":")) else { throw unexpected("':'") }
      members.append((key, try value()))
      skipWhiteSpace()
      if take(UInt8(ascii: "}")) { return JSONObject(members: members) }
      guard take(UInt8(ascii: ",")) else { throw unexpected("',' or '}'") }
    }
  }

  private mutating func array() throws(JSONSyntaxError) -> [JSONValue] {
    position += 1
    var values: [JSONValue] = []
    skipWhiteSpace()
    if take(UInt8(ascii: "]")) { return [] }
    while true {
      values.append(try value())
      skipWhiteSpace()
      if take(UInt8(ascii: "]")) { return values }
      guard take(UInt8(ascii: ",")) else { throw unexpected("',' or ']'") }
    }
  }

  private mutating func string() throws(JSONSyntaxError) -> String {
    let start = position
    position += 1
    var text: [UInt8] = []
    while let byte = peek {
      switch byte {
      case UInt8(ascii: "\""):
        position += 1
        guard let string = String(validating: text, as: UTF8.self) else {
          throw JSONSyntaxError(offset: start, problem: "the string that begins here is not valid UTF-8")
        }
        return string
      case UInt8(ascii: "\\"):
        position += 1
        try escape(into: &text)
      case 0..<0x20:
        throw unexpected("a character of a string")
      default:
        position += 1
        text.append(byte)
      }
    }
    throw JSONSyntaxError(offset: start, problem: "the string that begins here has no end")
  }

  private mutating func escape(into text: inout [UInt8]) throws(JSONSyntaxError) {
    let escapes: [(letter: Character, byte: UInt8)] = [
      ("\"", 0x22), ("\\", 0x5c), ("/", 0x2f), ("b", 8), ("f", 12), ("n", 10), ("r", 13), ("t", 9),
    ]
    guard let letter = peek else { throw unexpected("an escape") }
    if let escape = escapes.first(where: { $0.letter.asciiValue == letter }) {
      position += 1
      text.append(escape.byte)
      return
    }
    guard letter == UInt8(ascii: "u") else { throw unexpected("one of the escapes \" \\ / b f n r t u") }
    let start = position - 1
    position += 1
    var code = try fourHexadecimalDigits()
    if (0xd800..<0xdc00).contains(code) {
      if take(UInt8(ascii: "\\")), take(UInt8(ascii: "u")) {
        let low = try fourHexadecimalDigits()
        if (0xdc00..<0xe000).contains(low) { code = 0x10000 + (code - 0xd800) << 10 + (low - 0xdc00) }
      }
    }
    guard let scalar = Unicode.Scalar(code) else {
      throw JSONSyntaxError(offset: start, problem: "the escape is half of a surrogate pair")
    }
    text.append(contentsOf: scalar.utf8)
  }

  private mutating func fourHexadecimalDigits() throws(JSONSyntaxError) -> UInt32 {
    var code: UInt32 = 0
    for _ in 0..<4 {
      guard let byte = peek, let digit = Character(Unicode.Scalar(byte)).hexDigitValue else {
        throw unexpected("four hexadecimal digits")
      }
      position += 1
      code = code << 4 | UInt32(digit)
    }
    return code
  }

  private mutating func number() throws(JSONSyntaxError) -> JSONValue {
    let start = position
    func digits(_ parser: inout JSONParser) throws(JSONSyntaxError) {
      let first = parser.position
      while let byte = parser.peek, (0x30...0x39).contains(byte) { parser.position += 1 }
      if parser.position == first { throw parser.unexpected(first == start ? "a value" : "a digit") }
    }
    _ = take(UInt8(ascii: "-"))
    if !take(UInt8(ascii: "0")) { try digits(&self) }
    var isInteger = true
    if take(UInt8(ascii: ".")) {
      isInteger = false
      try digits(&self)
    }
    if take(UInt8(ascii: "e")) || take(UInt8(ascii: "E")) {
      isInteger = false
      if !take(UInt8(ascii: "-")) { _ = take(UInt8(ascii: "+")) }
      try digits(&self)
    }
    let text = String(decoding: bytes[start..<position], as: UTF8.self)
    if isInteger, let value = Int(text) { return .integer(value) }
    guard let value = Double(text), value.isFinite else {
      throw JSONSyntaxError(offset: start, problem: "the number \(quoted(text)) is too large")
    }
    return .real(value)
  }

  private mutating func word(_ word: StaticString, _ value: JSONValue) throws(JSONSyntaxError) -> JSONValue {
    let text = Array("\(word)".utf8)
    guard bytes[position...].starts(with: text) else { throw unexpected("a value") }
    position += text.count
    return value
  }

  private var peek: UInt8? { position < bytes.count ? bytes[position] : nil }

  private mutating func take(_ byte: UInt8) -> Bool {
    guard peek == byte else { return false }
    position += 1
    return true
  }

  private mutating func skipWhiteSpace() {
    while let byte = peek, byte == 0x20 || byte == 0x0a || byte == 0x0d || byte == 0x09 { position += 1 }
  }

  private func unexpected(_ expectation: String) -> JSONSyntaxError {
    let found = peek == nil ? "the end" : quoted(String(decoding: bytes[position...].prefix(12), as: UTF8.self))
    return JSONSyntaxError(offset: position, problem: "expected \(expectation), found \(found)")
  }
}
