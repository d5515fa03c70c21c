/// Cuts HTML or XHTML into tags and text, whatever it holds.
///
/// There is no malformed input: what is no tag is text, and what has no end ends with the document. Every call moves
/// on, and no byte is looked at more than a fixed number of times.
struct HTMLScanner {
  /// A part of a document.
  enum Token {
    /// A start tag with its lower-case name. `closesItself` tells `<a/>`.
    case start(name: String, attributes: [String: String], closesItself: Bool)
    /// An end tag with its lower-case name.
    case end(name: String)
    /// Text with its character references resolved.
    case text(String)
  }

  /// Elements whose content is not markup: it ends with their end tag alone.
  private static let rawTextElements: Set<String> = [
    "iframe", "noframes", "script", "style", "textarea", "title", "xmp",
  ]

  private let bytes: [UInt8]
  private var position = 0
  /// The raw-text element whose content comes next.
  private var rawTextElement: String?

  init(_ bytes: [UInt8]) {
    self.bytes = bytes
  }

  /// The next part; `nil` at the end. Comments, declarations and the content of scripts and styles are left out.
  mutating func next() -> Token? {
    if let name = rawTextElement {
      rawTextElement = nil
      skipRawText(until: name)
    }
    while position < bytes.count {
      if bytes[position] == UInt8(ascii: "<"), let following = byte(at: position + 1) {
        if following.isLetter {
          position += 1
          return startTag()
        }
        if following == UInt8(ascii: "/"), byte(at: position + 2)?.isLetter ?? false {
          position += 2
          let name = self.name()
          _ = attributes()
          return .end(name: name)
        }
        if following == UInt8(ascii: "!") || following == UInt8(ascii: "?") || following == UInt8(ascii: "/") {
          skipDeclaration()
          continue
        }
      }
      return text()
    }
    return nil
  }

  private func byte(at index: Int) -> UInt8? {
    index < bytes.count ? bytes[index] : nil
  }

  private mutating func startTag() -> Token {
    let name = self.name()
    let (attributes, closesItself) = self.attributes()
    if Self.rawTextElements.contains(name), !closesItself { rawTextElement = name }
    return .start(name: name, attributes: attributes, closesItself: closesItself)
  }

  private mutating func name() -> String {
    let start = position
    while let byte = byte(at: position), !byte.isSpace, byte != UInt8(ascii: "/"), byte != UInt8(ascii: ">") {
      position += 1
    }
    return String(decoding: bytes[start..<position], as: UTF8.self).lowercased()
  }

  /// The attributes up to and with the ">" that ends the tag. Of two of one name the first counts.
  private mutating func attributes() -> (attributes: [String: String], closesItself: Bool) {
    var result: [String: String] = [:]
    var closesItself = false
    while let byte = byte(at: position) {
      switch byte {
      case UInt8(ascii: ">"):
        position += 1
        return (result, closesItself)
      case UInt8(ascii: "/"):
        position += 1
        closesItself = self.byte(at: position) == UInt8(ascii: ">")
      case let byte where byte.isSpace:
        position += 1
      default:
        let (name, value) = attribute()
        if result[name] == nil { result[name] = value }
      }
    }
    return (result, closesItself)
  }

  private mutating func attribute() -> (name: String, value: String) {
    let start = position
    // A "=" at the beginning belongs to the name, so that every attribute moves on.
    position += 1
    while let byte = byte(at: position), !byte.isSpace, byte != UInt8(ascii: "/"), byte != UInt8(ascii: ">"),
      byte != UInt8(ascii: "=")
    {
      position += 1
    }
    let name = String(decoding: bytes[start..<position], as: UTF8.self).lowercased()
    let end = position
    while byte(at: position)?.isSpace ?? false { position += 1 }
    guard byte(at: position) == UInt8(ascii: "=") else {
      position = end
      return (name, "")
    }
    position += 1
    while byte(at: position)?.isSpace ?? false { position += 1 }
    let value: Range<Int>
    if let quote = byte(at: position), quote == UInt8(ascii: "\"") || quote == UInt8(ascii: "'") {
      let start = position + 1
      let end = bytes[start...].firstIndex(of: quote) ?? bytes.count
      value = start..<end
      position = min(end + 1, bytes.count)
    } else {
      let start = position
      while let byte = byte(at: position), !byte.isSpace, byte != UInt8(ascii: ">") { position += 1 }
      value = start..<position
    }
    return (name, String(decoding: bytes[value], as: UTF8.self))
  }

  /// Skips a comment, a CDATA section, a declaration or a processing instruction.
  private mutating func skipDeclaration() {
    let rest = bytes[position...]
    if rest.starts(with: Array("<!--".utf8)) {
      skip(past: "-->", from: position + 4)
    } else if rest.starts(with: Array("<![CDATA[".utf8)) {
      skip(past: "]]>", from: position + 9)
    } else {
      position = (rest.firstIndex(of: UInt8(ascii: ">")) ?? bytes.count - 1) + 1
    }
  }

  private mutating func skip(past end: String, from start: Int) {
    let pattern = Array(end.utf8)
    position = start
    while position < bytes.count {
      if bytes[position] == pattern[0], bytes[position...].starts(with: pattern) {
        position += pattern.count
        return
      }
      position += 1
    }
    position = bytes.count
  }

  /// Moves to the end tag of a raw-text element, or to the end of the document.
  private mutating func skipRawText(until name: String) {
    let pattern = Array(name.utf8)
    while position < bytes.count {
      if bytes[position] == UInt8(ascii: "<"), byte(at: position + 1) == UInt8(ascii: "/") {
        let found = bytes[min(position + 2, bytes.count)...].prefix(pattern.count).map { $0.lowercased }
        if found == pattern, byte(at: position + 2 + pattern.count).map({ !$0.isLetter }) ?? true { return }
      }
      position += 1
    }
  }

  private mutating func text() -> Token {
    var text: [UInt8] = []
    // A "<" that begins no tag is text.
    repeat {
      if bytes[position] == UInt8(ascii: "&"), let scalar = characterReference() {
        text.append(contentsOf: scalar.utf8)
      } else {
        text.append(bytes[position])
        position += 1
      }
    } while position < bytes.count && bytes[position] != UInt8(ascii: "<")
    return .text(String(decoding: text, as: UTF8.self))
  }

  /// Reads a character reference and moves past it; stays where it is if there is none.
  private mutating func characterReference() -> Unicode.Scalar? {
    var end = position + 1
    if byte(at: end) == UInt8(ascii: "#") {
      end += 1
      let isHexadecimal = byte(at: end).map { $0.lowercased == UInt8(ascii: "x") } ?? false
      if isHexadecimal { end += 1 }
      let start = end
      var number: UInt32 = 0
      while let byte = byte(at: end), let digit = Character(Unicode.Scalar(byte)).hexDigitValue,
        isHexadecimal || digit < 10
      {
        // Beyond Unicode any number means the same.
        number = min(number * (isHexadecimal ? 16 : 10) + UInt32(digit), 0x110000)
        end += 1
      }
      guard end > start else { return nil }
      position = byte(at: end) == UInt8(ascii: ";") ? end + 1 : end
      return HTMLEntities.scalar(numbered: number)
    }
    let start = end
    while let byte = byte(at: end), byte.isLetter || (0x30...0x39).contains(byte),
      end - start <= HTMLEntities.longestName
    {
      end += 1
    }
    guard byte(at: end) == UInt8(ascii: ";"),
      let scalar = HTMLEntities.scalar(named: String(decoding: bytes[start..<end], as: UTF8.self))
    else { return nil }
    position = end + 1
    return scalar
  }
}

extension UInt8 {
  fileprivate var isLetter: Bool { (0x41...0x5a).contains(self) || (0x61...0x7a).contains(self) }
  fileprivate var isSpace: Bool { self == 0x20 || (0x09...0x0d).contains(self) }
  fileprivate var lowercased: UInt8 { (0x41...0x5a).contains(self) ? self + 0x20 : self }
}
