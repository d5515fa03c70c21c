internal import SweepCore

/// Looks at what a worker delivered and says what a coordinator has to know of it.
///
/// Results come by the thousand a second, nearly all of them in the one form that our own encoder writes. That form is
/// recognised here in one pass without building anything. Whatever deviates from it by a byte is left to the general
/// decoder, which alone decides what is refused: this pass can only say "as expected" or "look closer".
struct DeliveredJSON {
  private let bytes: [UInt8]
  private var next = 0

  /// The seconds that a report names, if it is in the usual form.
  static func wallSeconds(ofReport bytes: [UInt8]) -> Double? {
    var scan = DeliveredJSON(bytes: bytes)
    guard scan.takes("{\"engineVersion\":"), scan.takesText(), scan.takes(",\"host\":"), scan.takesText(),
      scan.takes(",\"tokensPerSecond\":"), scan.takesNumber(), scan.takes(",\"wallSeconds\":")
    else { return nil }
    let start = scan.next
    guard scan.takesNumber() else { return nil }
    let number = bytes[start..<scan.next]
    guard scan.takes("}"), scan.isAtEnd else { return nil }
    return Double(String(decoding: number, as: UTF8.self))
  }

  /// How many measurements a result has, at least one, if it is in the usual form and they are of these corpora only.
  ///
  /// - Parameter corpora: the corpora of the cell, in their order.
  static func measurements(inResult bytes: [UInt8], of corpora: [CorpusReference]) -> Int? {
    var scan = DeliveredJSON(bytes: bytes)
    var measurements = 0
    let isResult =
      scan.takes("{\"edit\":{") && scan.takesEdit()
      && scan.takes("},\"evaluations\":[")
      && scan.takesList {
        measurements += 1
        return $0.takesEvaluation(of: corpora)
      }
      && scan.takes(",\"forgetTokens\":") && scan.takesCount()
      && scan.takes(",\"retainTokens\":") && scan.takesCount()
      && scan.takes(",\"steps\":[") && (scan.takes("]") || scan.takesList { $0.takesStep() })
      && scan.takes("}") && scan.isAtEnd
    return isResult ? measurements : nil
  }

  private init(bytes: [UInt8]) {
    self.bytes = bytes
  }

  private var isAtEnd: Bool { next == bytes.count }

  // MARK: - Parts of a result

  private mutating func takesEdit() -> Bool {
    if takes("\"prefactors\":{\"alphas\":[") {
      return (takes("]") || takesList { $0.takesNumber() }) && takes("}")
    }
    guard takes("\"lora\":{\"deltaNorms\":[") || takes("\"full\":{\"deltaNorms\":[") else { return false }
    let isList =
      takes("]")
      || takesList {
        $0.takes("{\"norm\":") && $0.takesNumber() && $0.takes(",\"site\":") && $0.takesText() && $0.takes("}")
      }
    return isList && takes("}")
  }

  private mutating func takesEvaluation(of corpora: [CorpusReference]) -> Bool {
    guard takes("{\"corpora\":[") else { return false }
    for (index, corpus) in corpora.enumerated() {
      guard index == 0 || takes(","), takesScore(of: corpus.name) else { return false }
    }
    return takes("],\"step\":") && takesCount() && takes("}")
  }

  private mutating func takesScore(of name: String) -> Bool {
    takes("{\"base\":") && takesLosses() && takes(",\"edited\":") && takesLosses()
      && takes(",\"name\":") && takesText(name) && takes(",\"role\":\"")
      && (takes("forget\"}") || takes("retain\"}") || takes("observe\"}"))
  }

  private mutating func takesLosses() -> Bool {
    takes("{\"test\":") && takesNumber() && takes(",\"validation\":") && takesNumber() && takes("}")
  }

  private mutating func takesStep() -> Bool {
    guard takes("{") else { return false }
    if takes("\"alpha\":") {
      guard takesNumber(), takes(",") else { return false }
    }
    return takes("\"forget\":") && takesNumber() && takes(",\"gradientNorm\":") && takesNumber()
      && takes(",\"retain\":") && takesNumber() && takes(",\"total\":") && takesNumber() && takes("}")
  }

  // MARK: - Tokens

  /// Elements up to the closing bracket, at least one.
  private mutating func takesList(_ element: (inout DeliveredJSON) -> Bool) -> Bool {
    repeat {
      guard element(&self) else { return false }
    } while takes(",")
    return takes("]")
  }

  private mutating func takes(_ text: String) -> Bool {
    takes(text.utf8)
  }

  private mutating func takes(_ expected: some Collection<UInt8>) -> Bool {
    guard next + expected.count <= bytes.count else { return false }
    var place = next
    for byte in expected {
      guard bytes[place] == byte else { return false }
      place += 1
    }
    next = place
    return true
  }

  /// A string of printable ASCII without escapes.
  private mutating func takesText() -> Bool {
    guard takes("\"") else { return false }
    while next < bytes.count {
      switch bytes[next] {
      case UInt8(ascii: "\""):
        next += 1
        return true
      case UInt8(ascii: "\\"): return false
      case 0x20...0x7E: next += 1
      default: return false
      }
    }
    return false
  }

  /// A string of printable ASCII without escapes that reads so.
  private mutating func takesText(_ text: String) -> Bool {
    let start = next
    return takesText() && bytes[start + 1..<next - 1].elementsEqual(text.utf8)
  }

  /// A whole number of at least 0 that fits 64 bits.
  private mutating func takesCount() -> Bool {
    let start = next
    let digits = takesDigits()
    return (1...18).contains(digits) && (digits == 1 || bytes[start] != UInt8(ascii: "0"))
  }

  /// A number that a `Double` holds: its digits are few and its exponent is far from the bounds.
  private mutating func takesNumber() -> Bool {
    _ = takes("-")
    let start = next
    let whole = takesDigits()
    guard (1...25).contains(whole), whole == 1 || bytes[start] != UInt8(ascii: "0") else { return false }
    if takes(".") {
      guard (1...25).contains(takesDigits()) else { return false }
    }
    if takes("e") {
      if !takes("-") { _ = takes("+") }
      guard (1...2).contains(takesDigits()) else { return false }
    }
    return true
  }

  private mutating func takesDigits() -> Int {
    let start = next
    while next < bytes.count, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(bytes[next]) { next += 1 }
    return next - start
  }
}
