/// Markup of a page. Only literals of this program are markup: text that is interpolated is escaped, whatever it is,
/// so that no name in a sweep file can become an element of the page.
struct HTML: ExpressibleByStringInterpolation {
  /// The markup so far.
  private(set) var markup: String

  init(stringLiteral literal: StaticString) {
    markup = literal.description
  }

  init(stringInterpolation interpolation: StringInterpolation) {
    markup = interpolation.markup
  }

  /// A drawing by ``SVGCanvas``, which escapes what it holds.
  init(drawing: String) {
    markup = drawing
  }

  static func += (left: inout HTML, right: HTML) {
    left.markup += right.markup
  }

  /// Text with the characters that mean something to HTML written as references, and those that would turn the
  /// writing direction or are no text replaced.
  static func escaped(_ text: String) -> String {
    SVGCanvas.escaped(DisplayText.printable(text))
  }

  /// Builds markup from a literal.
  struct StringInterpolation: StringInterpolationProtocol {
    fileprivate var markup = ""

    init(literalCapacity: Int, interpolationCount: Int) {
      markup.reserveCapacity(literalCapacity)
    }

    mutating func appendLiteral(_ literal: StaticString) {
      markup += literal.description
    }

    mutating func appendInterpolation(_ text: String) {
      markup += HTML.escaped(text)
    }

    mutating func appendInterpolation(_ number: Int) {
      markup += "\(number)"
    }

    mutating func appendInterpolation(_ html: HTML) {
      markup += html.markup
    }

    mutating func appendInterpolation(_ parts: [HTML]) {
      for part in parts { markup += part.markup }
    }
  }
}
