internal import Yams

/// Turns the bytes of a YAML file into a tree of ``SpecNode``s, or says in one line why it cannot.
///
/// Sweep files use a part of YAML: one document of mappings, lists and scalars. Anchors, aliases and tags are refused:
/// what a file says stands where it is read, and no file can grow beyond its size.
enum SpecDocument {
  /// The largest file that is read, in bytes: some thousand times a usual sweep file.
  static let sizeLimit = 1 << 20
  /// The deepest nesting that is read; the sweep file's own keys reach five levels.
  static let depthLimit = 32

  /// Parses a file's content. Time and memory are linear in its size.
  static func parse(_ bytes: [UInt8], file: String) throws(SweepSpecError) -> SpecNode {
    func refusal(_ problem: String, _ advice: String? = nil, at mark: Mark? = nil) -> SweepSpecError {
      SweepSpecError(
        file: file, position: mark.map { .init(line: $0.line, column: $0.column) }, keyPath: "", problem: problem,
        advice: advice)
    }

    guard bytes.count <= sizeLimit else {
      throw refusal("expected a sweep file of at most \(sizeLimit) bytes, found \(bytes.count) bytes")
    }
    guard let text = String(validating: withoutByteOrderMark(bytes), as: UTF8.self) else {
      throw refusal("expected UTF-8 text, found other bytes", "save the file as UTF-8")
    }
    if let alias = firstAlias(in: Array(text.unicodeScalars)) {
      throw SweepSpecError(
        file: file, position: alias.position, keyPath: "",
        problem: "expected values written out, found the YAML alias *\(alias.name)",
        advice: "repeat the value, or give it once under training or grid, which apply to every method")
    }

    do {
      // The basic resolver leaves every plain scalar as text: what reads as a number is decided in SpecNode.
      let parser = try Parser(yaml: text, resolver: .basic, encoding: .utf8)
      guard let root = try parser.singleRoot() else {
        throw refusal("expected a sweep file, found an empty file")
      }
      // Nodes hold their anchors weakly; the parser keeps them alive.
      return try withExtendedLifetime(parser) {
        try convert(root, file: file, path: "", depth: 0)
      }
    } catch let error as SweepSpecError {
      throw error
    } catch let error as YamlError {
      throw syntaxRefusal(for: error, in: text, file: file)
    } catch {
      throw refusal("expected YAML, found \(error)")
    }
  }

  /// Yams' tree as ours.
  private static func convert(
    _ node: Node, file: String, path: String, depth: Int
  ) throws(SweepSpecError) -> SpecNode {
    let position = position(of: node)
    func refusal(_ problem: String, _ advice: String? = nil) -> SweepSpecError {
      SweepSpecError(file: file, position: position, keyPath: path, problem: problem, advice: advice)
    }

    guard depth <= depthLimit else {
      throw refusal("expected at most \(depthLimit) levels of nesting, found more")
    }
    if let anchor = node.anchor {
      throw refusal("expected no YAML anchors, found &\(anchor.rawValue)", "remove it")
    }
    if let tag = explicitTag(of: node) {
      throw refusal("expected no YAML tags, found \(tag)", "remove the tag")
    }

    let value: SpecNode.Value
    switch node {
    case .scalar(let scalar):
      value = .scalar(scalar.string, isPlain: scalar.style == .plain)
    case .sequence(let sequence):
      var elements: [SpecNode] = []
      for (index, element) in sequence.enumerated() {
        elements.append(try convert(element, file: file, path: "\(path)[\(index)]", depth: depth + 1))
      }
      value = .list(elements)
    case .mapping(let mapping):
      var entries: [SpecNode.Entry] = []
      for (key, element) in mapping {
        guard case .scalar(let scalar) = key else {
          throw refusal("expected keys that are names, found a list or mapping as a key")
        }
        let name = SweepSpecError.onOneLine(scalar.string, limit: 60)
        let inner = path.isEmpty ? name : "\(path).\(name)"
        entries.append(
          SpecNode.Entry(
            name: scalar.string, position: Self.position(of: key),
            value: try convert(element, file: file, path: inner, depth: depth + 1)))
      }
      value = .mapping(entries)
    case .alias(let alias):
      throw refusal("expected values written out, found the YAML alias *\(alias.anchor.rawValue)")
    }
    return SpecNode(file: file, path: path, position: position, value: value)
  }

  private static func position(of node: Node) -> SweepSpecError.Position? {
    node.mark.map { .init(line: $0.line, column: $0.column) }
  }

  /// The tag that a value was given in the text, if any. Yams marks quoted scalars as strings by itself.
  private static func explicitTag(of node: Node) -> String? {
    let (tag, implied) =
      switch node {
      case .scalar(let scalar):
        (scalar.tag.rawValue, scalar.style == .plain ? Tag.Name.implicit.rawValue : Tag.Name.str.rawValue)
      case .sequence(let sequence): (sequence.tag.rawValue, Tag.Name.implicit.rawValue)
      case .mapping(let mapping): (mapping.tag.rawValue, Tag.Name.implicit.rawValue)
      case .alias(let alias): (alias.tag.rawValue, Tag.Name.implicit.rawValue)
      }
    return tag == implied ? nil : tag
  }

  /// The first place that may be an alias to an anchor of the same text.
  ///
  /// Has to be found before the YAML is composed: a mapping key that is an alias is hashed while it is read, and
  /// a short text of nested aliases stands for a value of astronomical size. The search is by characters and knows
  /// nothing of quotes and comments, so it can only find too many: text that holds both `&name` and `*name`.
  private static func firstAlias(
    in scalars: [Unicode.Scalar]
  ) -> (name: String, position: SweepSpecError.Position)? {
    func isNameScalar(_ scalar: Unicode.Scalar) -> Bool {
      switch scalar {
      case "a"..."z", "A"..."Z", "0"..."9", "_", "-": true
      default: false
      }
    }
    func names(after sign: Unicode.Scalar) -> [(name: String, offset: Int)] {
      scalars.indices.compactMap { offset in
        // Within a word (as in A&B) the sign belongs to the word.
        guard scalars[offset] == sign, offset == 0 || !isNameScalar(scalars[offset - 1]) else { return nil }
        let name = scalars[(offset + 1)...].prefix(while: isNameScalar)
        return name.isEmpty ? nil : (String(String.UnicodeScalarView(name)), offset)
      }
    }

    let anchors = Set(names(after: "&").map(\.name))
    guard let alias = names(after: "*").first(where: { anchors.contains($0.name) }) else { return nil }
    return (alias.name, position(ofScalar: alias.offset, in: scalars))
  }

  private static func position(ofScalar offset: Int, in scalars: [Unicode.Scalar]) -> SweepSpecError.Position {
    let before = scalars[..<offset]
    let lineStart = before.lastIndex(of: "\n").map { $0 + 1 } ?? 0
    return .init(line: before.count { $0 == "\n" } + 1, column: offset - lineStart + 1)
  }

  private static func withoutByteOrderMark(_ bytes: [UInt8]) -> ArraySlice<UInt8> {
    bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? bytes.dropFirst(3) : bytes[...]
  }

  private static func syntaxRefusal(for error: YamlError, in text: String, file: String) -> SweepSpecError {
    func refusal(_ found: String, at mark: Mark?, advice: String? = nil) -> SweepSpecError {
      SweepSpecError(
        file: file, position: mark.map { .init(line: $0.line, column: $0.column) }, keyPath: "",
        problem: "expected YAML, found \(found)", advice: advice)
    }

    switch error {
    case .scanner(let context, let problem, let mark, _), .parser(let context, let problem, let mark, _),
      .composer(let context, let problem, let mark, _):
      let during = context.map { " (\($0.text) that begins at line \($0.mark.line))" } ?? ""
      return refusal("a syntax error: \(problem)\(during)", at: mark, advice: "mend the line, or quote the value")
    case .reader(let problem, let offset, let value, _):
      var position: SweepSpecError.Position?
      if let offset, let index = text.index(text.startIndex, offsetBy: offset, limitedBy: text.endIndex) {
        let before = text.unicodeScalars.distance(from: text.startIndex, to: index)
        position = Self.position(ofScalar: before, in: Array(text.unicodeScalars))
      }
      return SweepSpecError(
        file: file, position: position, keyPath: "",
        problem: "expected YAML, found a character that it does not allow: \(problem) (\(value))",
        advice: "remove the character")
    case .duplicatedKeysInMapping(let duplicates, let context):
      let names = duplicates.map { "`\(SweepSpecError.onOneLine($0, limit: 60))`" }.joined(separator: ", ")
      return SweepSpecError(
        file: file, position: .init(line: context.mark.line, column: context.mark.column), keyPath: "",
        problem: "expected each key once, found \(names) again in the mapping that begins here",
        advice: "keep one of them")
    case .no, .memory, .writer, .emitter, .representer, .dataCouldNotBeDecoded:
      return refusal("\(error)", at: nil)
    }
  }
}
