public import Foundation
internal import Yams

/// Turns the bytes of a YAML file into a tree of ``SettingsNode``s, or says in one line why it cannot.
///
/// Settings files use a part of YAML: one document of mappings, lists and scalars. Anchors, aliases and tags are refused:
/// what a file says stands where it is read, and no file can grow beyond its size.
public enum SettingsDocument {
  /// The largest file that is read, in bytes: some thousand times a usual sweep file.
  static let sizeLimit = 1 << 20
  /// The deepest nesting that is read; the keys of sweep files reach five levels.
  static let depthLimit = 32

  /// Reads and parses a file.
  ///
  /// - Parameters:
  ///   - url: the file; its relative path names it in error messages.
  ///   - kind: what it is, for error messages: "sweep file".
  /// - Throws: what is wrong with the file, or why it is not YAML of the kind that is read.
  public static func read(contentsOf url: URL, kind: String) throws(SettingsError) -> SettingsNode {
    let bytes: [UInt8]
    do {
      let handle = try FileHandle(forReadingFrom: url)
      defer { try? handle.close() }
      bytes = Array(try handle.read(upToCount: sizeLimit + 1) ?? Data())
    } catch {
      throw SettingsError(
        file: url.relativePath, position: nil, keyPath: "",
        problem: "expected a readable \(kind), found \(FileProblem(url))", advice: "check the path")
    }
    return try parse(bytes, file: url.relativePath, kind: kind)
  }

  /// Parses a file's content. Time and memory are linear in its size.
  ///
  /// - Parameters:
  ///   - bytes: the content.
  ///   - file: the file's name, for error messages.
  ///   - kind: what it is, for error messages: "sweep file".
  public static func parse(_ bytes: [UInt8], file: String, kind: String) throws(SettingsError) -> SettingsNode {
    func refusal(_ problem: String, _ advice: String? = nil, at mark: Mark? = nil) -> SettingsError {
      SettingsError(
        file: file, position: mark.map { .init(line: $0.line, column: $0.column) }, keyPath: "", problem: problem,
        advice: advice)
    }

    guard bytes.count <= sizeLimit else {
      throw refusal("expected a \(kind) of at most \(sizeLimit) bytes, found \(bytes.count) bytes")
    }
    guard let text = String(validating: withoutByteOrderMark(bytes), as: UTF8.self) else {
      throw refusal("expected UTF-8 text, found other bytes", "save the file as UTF-8")
    }
    if let alias = firstAlias(in: Array(text.unicodeScalars)) {
      throw SettingsError(
        file: file, position: alias.position, keyPath: "",
        problem: "expected values written out, found the YAML alias *\(alias.name)",
        advice: "write the value where the alias stands")
    }

    do {
      // The basic resolver leaves every plain scalar as text: what reads as a number is decided in SettingsNode.
      let parser = try Parser(yaml: text, resolver: .basic, encoding: .utf8)
      guard let root = try parser.singleRoot() else {
        throw refusal("expected a \(kind), found an empty file")
      }
      // Nodes hold their anchors weakly; the parser keeps them alive.
      return try withExtendedLifetime(parser) {
        try convert(root, file: file, path: "", depth: 0)
      }
    } catch let error as SettingsError {
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
  ) throws(SettingsError) -> SettingsNode {
    let position = position(of: node)
    func refusal(_ problem: String, _ advice: String? = nil) -> SettingsError {
      SettingsError(file: file, position: position, keyPath: path, problem: problem, advice: advice)
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

    let value: SettingsNode.Value
    switch node {
    case .scalar(let scalar):
      value = .scalar(scalar.string, isPlain: scalar.style == .plain)
    case .sequence(let sequence):
      var elements: [SettingsNode] = []
      for (index, element) in sequence.enumerated() {
        elements.append(try convert(element, file: file, path: "\(path)[\(index)]", depth: depth + 1))
      }
      value = .list(elements)
    case .mapping(let mapping):
      var entries: [SettingsNode.Entry] = []
      for (key, element) in mapping {
        guard case .scalar(let scalar) = key else {
          throw refusal("expected keys that are names, found a list or mapping as a key")
        }
        let name = SettingsError.onOneLine(scalar.string, limit: 60)
        let inner = path.isEmpty ? name : "\(path).\(name)"
        entries.append(
          SettingsNode.Entry(
            name: scalar.string, position: Self.position(of: key),
            value: try convert(element, file: file, path: inner, depth: depth + 1)))
      }
      value = .mapping(entries)
    case .alias(let alias):
      throw refusal("expected values written out, found the YAML alias *\(alias.anchor.rawValue)")
    }
    return SettingsNode(file: file, path: path, position: position, value: value)
  }

  private static func position(of node: Node) -> SettingsError.Position? {
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
  ) -> (name: String, position: SettingsError.Position)? {
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

  private static func position(ofScalar offset: Int, in scalars: [Unicode.Scalar]) -> SettingsError.Position {
    let before = scalars[..<offset]
    let lineStart = before.lastIndex(of: "\n").map { $0 + 1 } ?? 0
    return .init(line: before.count { $0 == "\n" } + 1, column: offset - lineStart + 1)
  }

  private static func withoutByteOrderMark(_ bytes: [UInt8]) -> ArraySlice<UInt8> {
    bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? bytes.dropFirst(3) : bytes[...]
  }

  private static func syntaxRefusal(for error: YamlError, in text: String, file: String) -> SettingsError {
    func refusal(_ found: String, at mark: Mark?, advice: String? = nil) -> SettingsError {
      SettingsError(
        file: file, position: mark.map { .init(line: $0.line, column: $0.column) }, keyPath: "",
        problem: "expected YAML, found \(found)", advice: advice)
    }

    switch error {
    case .scanner(let context, let problem, let mark, _), .parser(let context, let problem, let mark, _),
      .composer(let context, let problem, let mark, _):
      let during = context.map { " (\($0.text) that begins at line \($0.mark.line))" } ?? ""
      return refusal("a syntax error: \(problem)\(during)", at: mark, advice: "mend the line, or quote the value")
    case .reader(let problem, let offset, let value, _):
      var position: SettingsError.Position?
      if let offset, let index = text.index(text.startIndex, offsetBy: offset, limitedBy: text.endIndex) {
        let before = text.unicodeScalars.distance(from: text.startIndex, to: index)
        position = Self.position(ofScalar: before, in: Array(text.unicodeScalars))
      }
      return SettingsError(
        file: file, position: position, keyPath: "",
        problem: "expected YAML, found a character that it does not allow: \(problem) (\(value))",
        advice: "remove the character")
    case .duplicatedKeysInMapping(let duplicates, let context):
      let names = duplicates.map { "`\(SettingsError.onOneLine($0, limit: 60))`" }.joined(separator: ", ")
      return SettingsError(
        file: file, position: .init(line: context.mark.line, column: context.mark.column), keyPath: "",
        problem: "expected each key once, found \(names) again in the mapping that begins here",
        advice: "keep one of them")
    case .no, .memory, .writer, .emitter, .representer, .dataCouldNotBeDecoded:
      return refusal("\(error)", at: nil)
    }
  }
}
