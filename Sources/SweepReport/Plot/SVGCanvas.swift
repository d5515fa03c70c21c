/// An SVG document as it is written, element by element.
struct SVGCanvas {
  /// An element's attributes, in the order in which they are written.
  typealias Attributes = KeyValuePairs<String, String>

  /// The text so far.
  private(set) var text: String

  init(width: Double, height: Double, title: String, description: String) {
    let size = (width: svgNumber(width), height: svgNumber(height))
    text = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
    open(
      "svg",
      [
        "xmlns": "http://www.w3.org/2000/svg", "width": size.width, "height": size.height,
        "viewBox": "0 0 \(size.width) \(size.height)", "role": "img", "aria-labelledby": "title description",
        "font-family": "Helvetica, Arial, 'Liberation Sans', 'DejaVu Sans', sans-serif", "font-size": "11",
        "fill": "#222222",
      ])
    element("title", ["id": "title"], content: title)
    element("desc", ["id": "description"], content: description)
    element("rect", ["width": size.width, "height": size.height, "fill": "#ffffff"])
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

  /// The text with XML's own characters written as references, and those that XML 1.0 cannot hold replaced.
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
        result.unicodeScalars.append(isForbidden ? "\u{FFFD}" : scalar)
      }
    }
    return result
  }
}

/// A coordinate, to a hundredth of a pixel.
func svgNumber(_ value: Double) -> String {
  var text = fixedDecimal(value, 2)
  while text.hasSuffix("0") { text.removeLast() }
  if text.hasSuffix(".") { text.removeLast() }
  return text
}
