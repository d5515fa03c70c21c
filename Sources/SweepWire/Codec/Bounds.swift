internal import ContentHash
internal import SweepCore

/// Throws ``WireError/outOfBounds(field:found:allowed:)`` unless `number` lies within `range`.
func check(_ number: Int, within range: ClosedRange<Int>, _ field: String) throws(WireError) {
  guard range.contains(number) else {
    throw .outOfBounds(
      field: field, found: Int64(number), allowed: Int64(range.lowerBound)...Int64(range.upperBound))
  }
}

/// A number that must lie within a range.
func bounded(_ number: some BinaryInteger, _ range: ClosedRange<Int>, _ field: String) throws(WireError) -> Int {
  let number = Int(clamping: number)
  try check(number, within: range, field)
  return number
}

/// A list whose length is bounded.
func bounded<Element>(_ list: [Element], _ field: String) throws(WireError) -> [Element] {
  try check(list.count, within: 0...WireProtocol.listCount, "the length of \(field)")
  return list
}

/// Bytes whose number is bounded.
func bounded(_ bytes: [UInt8], _ range: ClosedRange<Int>, _ field: String) throws(WireError) -> [UInt8] {
  try check(bytes.count, within: range, "the size of \(field)")
  return bytes
}

/// A name: not empty, short, without control characters.
func name(_ text: String, _ field: String) throws(WireError) -> String {
  try check(text.utf8.count, within: 1...WireProtocol.nameBytes, "the length of \(field)")
  return try line(text, field)
}

/// Text without control characters, so that it can be logged and shown as it is.
func line(_ text: String, _ field: String) throws(WireError) -> String {
  try check(text.utf8.count, within: 0...WireProtocol.textBytes, "the length of \(field)")
  guard !text.unicodeScalars.contains(where: \.breaksLines) else {
    throw .invalid(field: field, expected: "one line without control characters")
  }
  return text
}

func attempt(_ number: UInt64) throws(WireError) -> AttemptID {
  guard number > 0 else { throw .invalid(field: "an attempt's number", expected: "1 or more") }
  return AttemptID(number)
}

func attempts(_ numbers: [UInt64], _ field: String) throws(WireError) -> [AttemptID] {
  try bounded(numbers, field).map { number throws(WireError) in try attempt(number) }
}

func digest(_ bytes: [UInt8], _ field: String) throws(WireError) -> SHA256Digest {
  guard let digest = SHA256Digest(bytes: bytes) else {
    throw .invalid(field: field, expected: "32 bytes")
  }
  return digest
}

func interval(_ nanoseconds: UInt64, _ field: String) throws(WireError) -> Duration {
  let longest = UInt64(clamping: WireProtocol.longestInterval.nanoseconds)
  guard nanoseconds > 0, nanoseconds <= longest else {
    throw .outOfBounds(field: field, found: Int64(clamping: nanoseconds), allowed: 1...Int64(clamping: longest))
  }
  return .nanoseconds(Int64(nanoseconds))
}

extension Duration {
  /// Whole nanoseconds.
  var nanoseconds: Int64 {
    components.seconds * 1_000_000_000 + components.attoseconds / 1_000_000_000
  }
}

extension String {
  /// The text on one line, control characters replaced by spaces, cut to at most `limit` bytes of UTF-8.
  func asLine(atMost limit: Int) -> String {
    guard utf8.count > limit || unicodeScalars.contains(where: \.breaksLines) else { return self }
    let ellipsis = "…"
    let room = utf8.count > limit ? limit - ellipsis.utf8.count : limit
    var line = ""
    var size = 0
    for scalar in unicodeScalars {
      let kept = scalar.breaksLines ? " " : scalar
      size += UTF8.width(kept)
      guard size <= room else { return line + ellipsis }
      line.unicodeScalars.append(kept)
    }
    return line
  }

  /// A name within bounds: never empty.
  var asName: String {
    isEmpty ? "-" : asLine(atMost: WireProtocol.nameBytes)
  }

  /// A line for people within bounds.
  var asText: String {
    asLine(atMost: WireProtocol.textBytes)
  }
}

extension Unicode.Scalar {
  /// Whether the scalar would end a line or steer a terminal.
  var breaksLines: Bool {
    switch value {
    case 0..<0x20, 0x7f..<0xa0, 0x2028, 0x2029: true
    default: false
    }
  }
}
