/// The paragraphs of an HTML page that a reader would call its text.
///
/// Markup, code listings, scripts, forms and navigation are left out; character references are resolved; white space
/// is folded into single spaces. A table's cell, a list's item and a heading are paragraphs of their own.
///
/// Pages of LibreOffice Help hide variants of a phrase (for another operating system, say) until a script chooses
/// among them: the last of each set, the default, is kept. Anything else that is `hidden` is left out.
struct HTMLText {
  /// Elements that never have content.
  private static let voidElements: Set<String> = [
    "area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source", "track", "wbr",
  ]

  /// Elements that begin and end a paragraph.
  private static let blockElements: Set<String> = [
    "address", "article", "aside", "blockquote", "body", "caption", "center", "dd", "details", "dialog", "dir", "div",
    "dl", "dt", "fieldset", "figcaption", "figure", "footer", "form", "h1", "h2", "h3", "h4", "h5", "h6", "head",
    "header", "hr", "html", "li", "main", "menu", "nav", "ol", "option", "p", "pre", "section", "summary", "table",
    "tbody", "td", "tfoot", "th", "thead", "tr", "ul",
  ]

  /// Elements that hold no prose.
  private static let skippedElements: Set<String> = [
    "aside", "button", "canvas", "footer", "form", "head", "header", "iframe", "math", "nav", "noframes", "noscript",
    "object", "pre", "script", "select", "style", "svg", "template", "textarea", "title", "xmp",
  ]

  /// Classes of elements that hold no prose: code listings, contents and page navigation as the documentation tools
  /// of LibreOffice and DocBook mark them.
  private static let skippedClasses: Set<String> = [
    "bascode", "code", "codeintable", "list-of-examples", "list-of-figures", "list-of-tables", "navfooter",
    "navheader", "programlisting", "pycode", "screen", "smathcode", "sqlcode", "toc",
  ]

  /// Elements that end where the next of their kind begins, whether or not they are closed.
  private static let siblings: [String: Set<String>] = [
    "li": ["li"], "dt": ["dt", "dd"], "dd": ["dt", "dd"], "td": ["td", "th"], "th": ["td", "th"],
    "tr": ["tr", "td", "th"], "option": ["option"],
  ]

  /// How much has been put out: whole paragraphs, bytes of the one under way, and whether a space is due.
  private struct Mark {
    let paragraphs: Int
    let bytes: Int
    let spaceBefore: Bool

    /// Whether nothing but white space lies between two marks.
    func isSamePlace(as other: Mark) -> Bool {
      paragraphs == other.paragraphs && bytes == other.bytes
    }
  }

  private struct Element {
    let name: String
    /// Holds variants of which the last is kept.
    let holdsVariants: Bool
    /// A variant, by where its text begins.
    let variantStart: Mark?
  }

  private var paragraphs: [String] = []
  private var paragraph: [UInt8] = []
  private var spaceBefore = false
  private var elements: [Element] = []
  /// How many elements of each name are open: an end tag without a start is known at once.
  private var openCounts: [String: Int] = [:]
  /// The number of open elements outside the one that is being left out.
  private var skippedFrom: Int?
  /// The variant that ended last.
  private var lastVariant: (start: Mark, end: Mark)?

  /// The paragraphs of a page in UTF-8, in order. Time is linear in the page.
  static func paragraphs(of page: [UInt8]) -> [String] {
    var extraction = HTMLText()
    var scanner = HTMLScanner(page)
    while let token = scanner.next() {
      switch token {
      case .start(let name, let attributes, let closesItself):
        extraction.open(name, attributes, closesItself: closesItself)
      case .end(let name): extraction.close(name)
      case .text(let text): extraction.append(text)
      }
    }
    extraction.endParagraph()
    return extraction.paragraphs
  }

  private mutating func open(_ name: String, _ attributes: [String: String], closesItself: Bool) {
    closeImplied(by: name)
    if Self.blockElements.contains(name) { endParagraph() }
    if name == "br" { spaceBefore = true }
    if closesItself || Self.voidElements.contains(name) { return }

    let classes = (attributes["class"] ?? "").split(separator: " ").map(String.init)
    let isHidden = attributes["hidden"] != nil
    let isVariant = isHidden && elements.last?.holdsVariants ?? false
    if skippedFrom == nil {
      let isSkipped =
        Self.skippedElements.contains(name) || classes.contains(where: Self.skippedClasses.contains)
        || (isHidden && !isVariant)
      if isSkipped { skippedFrom = elements.count }
    }
    if isVariant, let lastVariant, lastVariant.end.isSamePlace(as: mark) { rewind(to: lastVariant.start) }
    let holdsVariants = classes.contains("switch") || classes.contains("switchinline")
    if holdsVariants { lastVariant = nil }
    elements.append(Element(name: name, holdsVariants: holdsVariants, variantStart: isVariant ? mark : nil))
    openCounts[name, default: 0] += 1
  }

  /// Closes paragraphs before blocks, and list items, cells and rows before their like.
  private mutating func closeImplied(by name: String) {
    if elements.last?.name == "p", Self.blockElements.contains(name) { closeLast() }
    if let siblings = Self.siblings[name] {
      while let last = elements.last?.name, siblings.contains(last) { closeLast() }
    }
  }

  private mutating func close(_ name: String) {
    guard openCounts[name, default: 0] > 0 else {
      if Self.blockElements.contains(name) { endParagraph() }
      return
    }
    while let last = elements.last {
      closeLast()
      if last.name == name { return }
    }
  }

  private mutating func closeLast() {
    guard let element = elements.popLast() else { return }
    openCounts[element.name, default: 1] -= 1
    if let skippedFrom, elements.count <= skippedFrom { self.skippedFrom = nil }
    if Self.blockElements.contains(element.name) { endParagraph() }
    if let start = element.variantStart { lastVariant = (start, mark) }
  }

  private mutating func append(_ text: String) {
    guard skippedFrom == nil else { return }
    for scalar in text.unicodeScalars {
      if scalar.properties.isWhitespace {
        spaceBefore = true
      } else if !scalar.isInvisible {
        if spaceBefore, !paragraph.isEmpty { paragraph.append(0x20) }
        spaceBefore = false
        paragraph.append(contentsOf: scalar.utf8)
      }
    }
  }

  private mutating func endParagraph() {
    if !paragraph.isEmpty { paragraphs.append(String(decoding: paragraph, as: UTF8.self)) }
    paragraph.removeAll(keepingCapacity: true)
    spaceBefore = false
  }

  private var mark: Mark {
    Mark(paragraphs: paragraphs.count, bytes: paragraph.count, spaceBefore: spaceBefore)
  }

  /// Takes back what has been put out since a mark.
  private mutating func rewind(to mark: Mark) {
    if paragraphs.count > mark.paragraphs {
      paragraph = Array(paragraphs[mark.paragraphs].utf8)
      paragraphs.removeLast(paragraphs.count - mark.paragraphs)
    }
    paragraph.removeLast(paragraph.count - mark.bytes)
    spaceBefore = mark.spaceBefore
  }
}

extension Unicode.Scalar {
  /// Whether this is a control character or one that only guides line breaking: neither is text.
  fileprivate var isInvisible: Bool {
    value == 0xad || value == 0x200b || value == 0xfeff || properties.generalCategory == .control
  }
}
