/// A value of a sweep file with the place where it stands, and the ways to read it as something.
struct SpecNode {
  /// One `key: value` of a mapping.
  struct Entry {
    /// The key.
    let name: String
    /// Where the key stands.
    let position: SweepSpecError.Position?
    /// The value.
    let value: SpecNode
  }

  /// What stands there.
  enum Value {
    /// Text; plain if it is not quoted, so that it may mean a number.
    case scalar(String, isPlain: Bool)
    /// A list.
    case list([SpecNode])
    /// Keys and values, in the file's order.
    case mapping([Entry])
  }

  /// The file, as the user named it.
  let file: String
  /// The keys that lead here.
  let path: String
  /// Where the value begins.
  let position: SweepSpecError.Position?
  /// What stands here.
  let value: Value

  /// The refusal of this value.
  func refusal(_ problem: String, advice: String? = nil) -> SweepSpecError {
    SweepSpecError(file: file, position: position, keyPath: path, problem: problem, advice: advice)
  }

  /// The refusal of this value for not being what was expected.
  func mismatch(expected: String, advice: String? = nil) -> SweepSpecError {
    refusal("expected \(expected), found \(found)", advice: advice)
  }

  /// What stands here, for error messages.
  var found: String {
    switch value {
    case .scalar(let text, isPlain: true) where PlainScalar(text) == .nothing: "nothing"
    case .scalar(let text, isPlain: true): SweepSpecError.onOneLine(text, limit: 60)
    case .scalar(let text, isPlain: false): "the text \"\(SweepSpecError.onOneLine(text, limit: 60))\""
    case .list(let elements): elements.isEmpty ? "an empty list" : "a list"
    case .mapping(let entries): entries.isEmpty ? "an empty mapping" : "a mapping"
    }
  }

  // MARK: Scalars

  /// Text that is not empty. A plain scalar that reads as something else is refused, so that its writer decides.
  func text(_ expected: String) throws(SweepSpecError) -> String {
    guard case .scalar(let text, let isPlain) = value, !text.isEmpty else { throw mismatch(expected: expected) }
    guard isPlain else { return text }
    switch PlainScalar(text) {
    case .text: return text
    case .nothing: throw mismatch(expected: expected)
    case .boolean, .number: throw mismatch(expected: expected, advice: "put it in quotes if it is meant as text")
    }
  }

  /// A whole number that `isValid`. `expected` names such numbers: "a whole number of at least 1".
  func wholeNumber(_ expected: String, where isValid: (Int) -> Bool) throws(SweepSpecError) -> Int {
    guard case .scalar(let text, isPlain: true) = value, case .number(let number) = PlainScalar(text) else {
      throw mismatch(expected: expected, advice: adviceForQuotedNumber)
    }
    guard let whole = Int(text) ?? Int(exactly: number) else { throw mismatch(expected: expected) }
    guard Int(text) != nil else { throw mismatch(expected: expected, advice: "write \(whole)") }
    guard isValid(whole) else { throw mismatch(expected: expected) }
    guard whole <= Self.largestWholeNumber else {
      throw mismatch(expected: "\(expected), up to \(Self.largestWholeNumber)")
    }
    return whole
  }

  /// What nothing that a sweep counts comes near, and sums and products of counts stay below the largest integer.
  private static let largestWholeNumber = 1_000_000_000_000

  /// A finite number that `isValid`. `expected` names such numbers: "a number above 0".
  func number(_ expected: String, where isValid: (Double) -> Bool) throws(SweepSpecError) -> Double {
    guard case .scalar(let text, isPlain: true) = value, case .number(let number) = PlainScalar(text) else {
      throw mismatch(expected: expected, advice: adviceForQuotedNumber)
    }
    guard number.isFinite, isValid(number) else { throw mismatch(expected: expected) }
    // One zero only, so that equal values have equal canonical forms.
    return number == 0 ? 0 : number
  }

  private var adviceForQuotedNumber: String? {
    guard case .scalar(let text, isPlain: false) = value, case .number = PlainScalar(text) else { return nil }
    return "remove the quotes"
  }

  /// One of the names of `Choice`.
  func choice<Choice: RawRepresentable<String> & CaseIterable>(of type: Choice.Type) throws(SweepSpecError) -> Choice {
    let names = type.allCases.map(\.rawValue)
    guard case .scalar(let text, _) = value, let choice = Choice(rawValue: text) else {
      throw mismatch(expected: Self.alternatives(names), advice: suggestion(among: names))
    }
    return choice
  }

  /// "did you mean ...?" where a name is near.
  func suggestion(among names: [String]) -> String? {
    guard case .scalar(let text, _) = value else { return nil }
    return NearestName.suggestion(for: text, among: names).map { "did you mean \($0)?" }
  }

  /// `a, b or c`.
  static func alternatives(_ names: [String]) -> String {
    guard let last = names.last, names.count > 1 else { return names.joined() }
    return names.dropLast().joined(separator: ", ") + " or " + last
  }

  // MARK: Collections

  /// The elements of a list that is not empty.
  func list(_ expected: String) throws(SweepSpecError) -> [SpecNode] {
    switch value {
    case .list(let elements) where !elements.isEmpty: return elements
    case .scalar(let text, let isPlain) where !isPlain || PlainScalar(text) != .nothing:
      throw mismatch(expected: expected, advice: "put it in brackets: [\(SweepSpecError.onOneLine(text, limit: 60))]")
    case .scalar, .list, .mapping: throw mismatch(expected: expected)
    }
  }

  /// The values of a list that is not empty and names nothing twice.
  func distinct<Element: Hashable>(
    _ expected: String, read: (SpecNode) throws(SweepSpecError) -> Element
  ) throws(SweepSpecError) -> [Element] {
    var seen: Set<Element> = []
    var elements: [Element] = []
    for node in try list(expected) {
      let element = try read(node)
      guard seen.insert(element).inserted else {
        throw node.refusal("expected each value once, found \(node.found) again", advice: "remove it")
      }
      elements.append(element)
    }
    return elements
  }

  /// The entries of a mapping. `expected` names it: "a mapping of corpora".
  func entries(_ expected: String) throws(SweepSpecError) -> [Entry] {
    guard case .mapping(let entries) = value else { throw mismatch(expected: expected) }
    return entries
  }

  /// A mapping that has no keys but `keys`; `reason` may tell why another key has no place here.
  func mapping(
    _ expected: String, keys: [String], reason: (String) -> String? = { _ in nil }
  ) throws(SweepSpecError) -> SpecMapping {
    let entries = try entries(expected)
    if let entry = entries.first(where: { !keys.contains($0.name) }) {
      let name = SweepSpecError.onOneLine(entry.name, limit: 60)
      let nearest = NearestName.suggestion(for: entry.name, among: keys)
      throw SweepSpecError(
        file: file, position: entry.position, keyPath: path,
        problem: "expected only the keys \(keys.joined(separator: ", ")); found `\(name)`",
        advice: reason(entry.name) ?? nearest.map { "did you mean `\($0)`?" } ?? "remove it")
    }
    return SpecMapping(node: self, entries: entries)
  }
}

/// A mapping of a sweep file, by its keys.
struct SpecMapping {
  /// The mapping's own place.
  let node: SpecNode
  /// Its entries, in the file's order.
  let entries: [SpecNode.Entry]

  /// The value of a key, if it is there.
  subscript(key: String) -> SpecNode? {
    entries.first { $0.name == key }?.value
  }

  /// The value of a key that has to be there.
  func required(_ key: String, _ meaning: String) throws(SweepSpecError) -> SpecNode {
    guard let value = self[key] else {
      throw node.refusal("expected the key `\(key)` (\(meaning)), found none", advice: "add it")
    }
    return value
  }

  /// Refuses the keys `keys` with the reason why they have no place here.
  func refuse(_ keys: [String], advice: String) throws(SweepSpecError) {
    guard let entry = entries.first(where: { keys.contains($0.name) }) else { return }
    throw SweepSpecError(
      file: node.file, position: entry.position, keyPath: node.path,
      problem: "expected no `\(entry.name)` here, found one", advice: advice)
  }
}

/// What a scalar without quotes reads as: YAML 1.2's core schema, without its octal and hexadecimal numbers.
enum PlainScalar: Equatable {
  /// Empty, `~` or `null`.
  case nothing
  /// `true` or `false`.
  case boolean
  /// A decimal number; infinite or not a number if it says so or is too large.
  case number(Double)
  /// Anything else.
  case text

  init(_ text: String) {
    switch text {
    case "", "~", "null", "Null", "NULL": self = .nothing
    case "true", "True", "TRUE", "false", "False", "FALSE": self = .boolean
    case ".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF": self = .number(.infinity)
    case "-.inf", "-.Inf", "-.INF": self = .number(-.infinity)
    case ".nan", ".NaN", ".NAN": self = .number(.nan)
    default:
      // `Double` also takes hexadecimal digits and the words of infinity, which are text in YAML.
      let isDecimal = text.utf8.allSatisfy {
        switch $0 {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "+"), UInt8(ascii: "-"), UInt8(ascii: "."),
          UInt8(ascii: "e"), UInt8(ascii: "E"):
          true
        default: false
        }
      }
      self = isDecimal ? Double(text).map(PlainScalar.number) ?? .text : .text
    }
  }
}
