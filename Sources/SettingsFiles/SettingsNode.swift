/// A value of a settings file with the place where it stands, and the ways to read it as something.
public struct SettingsNode {
  /// One `key: value` of a mapping.
  public struct Entry {
    /// The key.
    public let name: String
    /// Where the key stands.
    public let position: SettingsError.Position?
    /// The value.
    public let value: SettingsNode
  }

  /// What stands there.
  public enum Value {
    /// Text; plain if it is not quoted, so that it may mean a number.
    case scalar(String, isPlain: Bool)
    /// A list.
    case list([SettingsNode])
    /// Keys and values, in the file's order.
    case mapping([Entry])
  }

  /// The file, as the user named it.
  public let file: String
  /// The keys that lead here.
  public let path: String
  /// Where the value begins.
  public let position: SettingsError.Position?
  /// What stands here.
  public let value: Value

  /// The refusal of this value.
  public func refusal(_ problem: String, advice: String? = nil) -> SettingsError {
    SettingsError(file: file, position: position, keyPath: path, problem: problem, advice: advice)
  }

  /// The refusal of this value for not being what was expected.
  public func mismatch(expected: String, advice: String? = nil) -> SettingsError {
    refusal("expected \(expected), found \(found)", advice: advice)
  }

  /// What stands here, for error messages.
  public var found: String {
    switch value {
    case .scalar(let text, isPlain: true) where PlainScalar(text) == .nothing: "nothing"
    case .scalar(let text, isPlain: true): SettingsError.onOneLine(text, limit: 60)
    case .scalar(let text, isPlain: false): "the text \"\(SettingsError.onOneLine(text, limit: 60))\""
    case .list(let elements): elements.isEmpty ? "an empty list" : "a list"
    case .mapping(let entries): entries.isEmpty ? "an empty mapping" : "a mapping"
    }
  }

  // MARK: Scalars

  /// Text that is not empty. A plain scalar that reads as something else is refused, so that its writer decides.
  public func text(_ expected: String) throws(SettingsError) -> String {
    guard case .scalar(let text, let isPlain) = value, !text.isEmpty else { throw mismatch(expected: expected) }
    guard isPlain else { return text }
    switch PlainScalar(text) {
    case .text: return text
    case .nothing: throw mismatch(expected: expected)
    case .boolean, .number: throw mismatch(expected: expected, advice: "put it in quotes if it is meant as text")
    }
  }

  /// A whole number that `isValid`. `expected` names such numbers: "a whole number of at least 1".
  public func wholeNumber(_ expected: String, where isValid: (Int) -> Bool) throws(SettingsError) -> Int {
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

  /// What nothing that a settings file counts comes near, and sums and products of counts stay below the largest integer.
  private static let largestWholeNumber = 1_000_000_000_000

  /// A finite number that `isValid`. `expected` names such numbers: "a number above 0".
  public func number(_ expected: String, where isValid: (Double) -> Bool) throws(SettingsError) -> Double {
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
  public func choice<Choice: RawRepresentable<String> & CaseIterable>(
    of type: Choice.Type
  ) throws(SettingsError) -> Choice {
    let names = type.allCases.map(\.rawValue)
    guard case .scalar(let text, _) = value, let choice = Choice(rawValue: text) else {
      throw mismatch(expected: Self.alternatives(names), advice: suggestion(among: names))
    }
    return choice
  }

  /// A name that can stand in tables, file names and messages.
  public func name(_ what: String) throws(SettingsError) -> String {
    let name = try text(what)
    try checkName(name, what)
    return name
  }

  /// Refuses what cannot stand as a name in tables, file names and messages: `name`, which is this value or its key.
  public func checkName(_ name: String, _ what: String) throws(SettingsError) {
    func isLetterOrDigit(_ byte: UInt8) -> Bool {
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"):
        true
      default: false
      }
    }
    let inner: [UInt8] = [UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: ".")]
    guard name.utf8.count <= 80, let first = name.utf8.first, isLetterOrDigit(first),
      name.utf8.allSatisfy({ isLetterOrDigit($0) || inner.contains($0) })
    else {
      let found = SettingsError.onOneLine(name, limit: 60)
      throw refusal(
        "expected \(what), up to 80 letters, digits, `-`, `_` and `.` that begin with a letter or digit, "
          + "found `\(found)`")
    }
  }

  /// "did you mean ...?" where a name is near.
  public func suggestion(among names: [String]) -> String? {
    guard case .scalar(let text, _) = value else { return nil }
    return NearestName.suggestion(for: text, among: names).map { "did you mean \($0)?" }
  }

  /// `a, b or c`.
  public static func alternatives(_ names: [String]) -> String {
    guard let last = names.last, names.count > 1 else { return names.joined() }
    return names.dropLast().joined(separator: ", ") + " or " + last
  }

  // MARK: Collections

  /// The elements of a list that is not empty.
  public func list(_ expected: String) throws(SettingsError) -> [SettingsNode] {
    switch value {
    case .list(let elements) where !elements.isEmpty: return elements
    case .scalar(let text, let isPlain) where !isPlain || PlainScalar(text) != .nothing:
      throw mismatch(expected: expected, advice: "put it in brackets: [\(SettingsError.onOneLine(text, limit: 60))]")
    case .scalar, .list, .mapping: throw mismatch(expected: expected)
    }
  }

  /// The values of a list that is not empty and names nothing twice.
  public func distinct<Element: Hashable>(
    _ expected: String, read: (SettingsNode) throws(SettingsError) -> Element
  ) throws(SettingsError) -> [Element] {
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
  public func entries(_ expected: String) throws(SettingsError) -> [Entry] {
    guard case .mapping(let entries) = value else { throw mismatch(expected: expected) }
    return entries
  }

  /// A mapping that has no keys but `keys`; `reason` may tell why another key has no place here.
  public func mapping(
    _ expected: String, keys: [String], reason: (String) -> String? = { _ in nil }
  ) throws(SettingsError) -> SettingsMapping {
    let entries = try entries(expected)
    if let entry = entries.first(where: { !keys.contains($0.name) }) {
      let name = SettingsError.onOneLine(entry.name, limit: 60)
      let nearest = NearestName.suggestion(for: entry.name, among: keys)
      throw SettingsError(
        file: file, position: entry.position, keyPath: path,
        problem: "expected only the keys \(keys.joined(separator: ", ")); found `\(name)`",
        advice: reason(entry.name) ?? nearest.map { "did you mean `\($0)`?" } ?? "remove it")
    }
    return SettingsMapping(node: self, entries: entries)
  }
}

/// A mapping of a settings file, by its keys.
public struct SettingsMapping {
  /// The mapping's own place.
  public let node: SettingsNode
  /// Its entries, in the file's order.
  public let entries: [SettingsNode.Entry]

  /// Takes a mapping whose keys are not checked.
  public init(node: SettingsNode, entries: [SettingsNode.Entry]) {
    self.node = node
    self.entries = entries
  }

  /// The value of a key, if it is there.
  public subscript(key: String) -> SettingsNode? {
    entries.first { $0.name == key }?.value
  }

  /// The value of a key that has to be there.
  public func required(_ key: String, _ meaning: String) throws(SettingsError) -> SettingsNode {
    guard let value = self[key] else {
      throw node.refusal("expected the key `\(key)` (\(meaning)), found none", advice: "add it")
    }
    return value
  }

  /// Refuses the keys `keys` with the reason why they have no place here.
  public func refuse(_ keys: [String], advice: String) throws(SettingsError) {
    guard let entry = entries.first(where: { keys.contains($0.name) }) else { return }
    throw SettingsError(
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
