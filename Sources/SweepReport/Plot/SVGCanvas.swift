/// An SVG document, or an `svg` element of an HTML page, as it is written, element by element.
struct SVGCanvas {
  /// An element's attributes, in the order in which they are written.
  typealias Attributes = KeyValuePairs<String, String>

  /// The text so far.
  private(set) var text: String
  /// What to draw in.
  let colours: PlotPalette

  init(width: Double, height: Double, title: String, description: String, for destination: PlotDestination) {
    let size = (width: svgNumber(width), height: svgNumber(height))
    let prefix: String
    switch destination {
    case .file:
      prefix = ""
      text = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
    case .page(let id):
      prefix = id + "-"
      text = ""
    }
    colours = PlotPalette(destination)
    open(
      "svg",
      [
        "xmlns": "http://www.w3.org/2000/svg", "width": size.width, "height": size.height,
        "viewBox": "0 0 \(size.width) \(size.height)", "role": "img",
        "aria-labelledby": "\(prefix)title \(prefix)description",
        "font-family": "Helvetica, Arial, 'Liberation Sans', 'DejaVu Sans', sans-serif", "font-size": "11",
        "fill": colours.ink,
      ])
    element("title", ["id": "\(prefix)title"], content: title)
    element("desc", ["id": "\(prefix)description"], content: description)
    element("rect", ["width": size.width, "height": size.height, "fill": colours.paper])
  }

  /// Writes an element that holds nothing but text.
  mutating func element(_ name: String, _ attributes: Attributes = [:], content: String? = nil) {
    start(name, attributes)
    if let content { text += ">\(Self.escaped(content))</\(name)>\n" } else { text += "/>\n" }
  }

  /// Begins an element that holds others.
  mutating func open(_ name: String, _ attributes: Attributes = [:]) {
    start(name, attributes)
    text += ">\n"
  }

  /// Ends the element that ``open(_:_:)`` began.
  mutating func close(_ name: String) {
    text += "</\(name)>\n"
  }

  /// Writes a line of text at a point.
  mutating func label(_ content: String, x: Double, y: Double, _ attributes: Attributes = [:]) {
    text += "<text x=\"\(svgNumber(x))\" y=\"\(svgNumber(y))\""
    for (key, value) in attributes { text += " \(key)=\"\(Self.escaped(value))\"" }
    text += ">\(Self.escaped(content))</text>\n"
  }

  private mutating func start(_ name: String, _ attributes: Attributes) {
    text += "<\(name)"
    for (key, value) in attributes { text += " \(key)=\"\(Self.escaped(value))\"" }
  }

  /// The text with XML's own characters written as references, and those replaced that XML 1.0 cannot hold or that
  /// would turn the writing direction.
  static func escaped(_ text: String) -> String {
    var result = ""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "&": result += "&amp;"
      case "<": result += "&lt;"
      case ">": result += "&gt;"
      case "\"": result += "&quot;"
      case "\t", "\n", "\r": result += " "
      default:
        let isForbidden = scalar.value < 0x20 || scalar.value == 0xFFFE || scalar.value == 0xFFFF
        result.unicodeScalars.append(isForbidden || scalar.properties.isBidiControl ? "\u{FFFD}" : scalar)
      }
    }
    return result
  }
}

/// A coordinate, to a hundredth of a pixel, or another number to so many decimals, without zeros at its end.
func svgNumber(_ value: Double, decimals: Int = 2) -> String {
  var text = fixedDecimal(value, decimals)
  guard text.contains(".") else { return text }
  while text.hasSuffix("0") { text.removeLast() }
  if text.hasSuffix(".") { text.removeLast() }
  return text
}
