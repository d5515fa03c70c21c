internal import Foundation

/// Unicode's normalization form C (UAX #15) with the data of Unicode 9.
///
/// The reference implementation of tokenizers normalizes with tables of Unicode 9: code points assigned later pass
/// through it unchanged and in place, and ids are only equal if they do so here. Foundation gives the mappings of
/// single code points; its composition of whole texts is not used, since it misses Hangul syllables that do not end
/// the text.
struct CanonicalComposition {
  /// Text below this is already composed.
  private static let firstCombining: UInt32 = 0x300

  private var decompositions: [Unicode.Scalar: [Unicode.Scalar]] = [:]
  private var composites: [Pair: Unicode.Scalar?] = [:]

  private struct Pair: Hashable {
    let first, second: Unicode.Scalar
  }

  /// The composed form of a text.
  mutating func normalize(_ text: String) -> String {
    String(decoding: normalize(Array(text.utf8)[...]), as: UTF8.self)
  }

  /// The composed form of UTF-8 text, which must be valid.
  mutating func normalize(_ text: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
    // Bytes from 0xcc on begin scalars from U+0300 on.
    guard text.contains(where: { $0 >= 0xcc }) else { return text }
    var result: [UInt8] = []
    result.reserveCapacity(text.count)
    var run: [Unicode.Scalar] = []
    for scalar in String(decoding: text, as: UTF8.self).unicodeScalars {
      // What is below never composes with what stands before it.
      let isBelow = scalar.value < Self.firstCombining
      let isInert = !isBelow && !scalar.isAssigned(byVersion: 9)
      if isBelow || isInert {
        for composed in compose(run) { result.append(contentsOf: composed.utf8) }
        run.removeAll(keepingCapacity: true)
      }
      if isInert { result.append(contentsOf: scalar.utf8) } else { run.append(scalar) }
    }
    for composed in compose(run) { result.append(contentsOf: composed.utf8) }
    return result[...]
  }

  private mutating func compose(_ run: [Unicode.Scalar]) -> [Unicode.Scalar] {
    guard run.contains(where: { $0.value >= Self.firstCombining }) else { return run }
    let decomposed = Self.ordered(run.flatMap { decomposition(of: $0) })
    var result: [Unicode.Scalar] = []
    var starter: Int?
    var lastClass: UInt8 = 0
    for scalar in decomposed {
      let combiningClass = scalar.properties.canonicalCombiningClass.rawValue
      if let starter, result.count - 1 == starter || lastClass < combiningClass,
        let composite = composite(result[starter], scalar)
      {
        result[starter] = composite
        continue
      }
      if combiningClass == 0 { starter = result.count }
      lastClass = combiningClass
      result.append(scalar)
    }
    return result
  }

  /// Canonical ordering: combining marks between starters, stably by their class.
  private static func ordered(_ scalars: [Unicode.Scalar]) -> [Unicode.Scalar] {
    var result = scalars
    var start = 0
    while start < result.count {
      let end = result[start...].firstIndex { $0.properties.canonicalCombiningClass == .notReordered } ?? result.count
      if end - start > 1 {
        let marks = result[start..<end].map { ($0.properties.canonicalCombiningClass.rawValue, $0) }.enumerated()
        let sorted = marks.sorted { ($0.element.0, $0.offset) < ($1.element.0, $1.offset) }
        result.replaceSubrange(start..<end, with: sorted.map(\.element.1))
      }
      start = end + 1
    }
    return result
  }

  private mutating func decomposition(of scalar: Unicode.Scalar) -> [Unicode.Scalar] {
    if scalar.value < 0xc0 { return [scalar] }
    if let known = decompositions[scalar] { return known }
    let found = Array(String(scalar).decomposedStringWithCanonicalMapping.unicodeScalars)
    decompositions[scalar] = found
    return found
  }

  private mutating func composite(_ first: Unicode.Scalar, _ second: Unicode.Scalar) -> Unicode.Scalar? {
    if Self.isHangul(first) { return Self.syllable(first.value, second.value) }
    let pair = Pair(first: first, second: second)
    if let known = composites[pair] { return known }
    // Foundation does not compose U+0CCA with U+0CD5, but does compose what U+0CCA decomposes to with it.
    let parts = decomposition(of: first) + [second]
    let composed = String(String.UnicodeScalarView(parts)).precomposedStringWithCanonicalMapping.unicodeScalars
    let found = composed.count == 1 ? composed.first : nil
    composites[pair] = .some(found)
    return found
  }

  /// Whether this is a leading consonant or a syllable.
  private static func isHangul(_ scalar: Unicode.Scalar) -> Bool {
    (0x1100..<0x1113).contains(scalar.value) || (0xac00..<0xd7a4).contains(scalar.value)
  }

  /// Hangul syllables are composed by arithmetic (The Unicode Standard, section 3.12).
  private static func syllable(_ first: UInt32, _ second: UInt32) -> Unicode.Scalar? {
    let (syllables, leads, vowels, trails): (UInt32, UInt32, UInt32, UInt32) = (0xac00, 0x1100, 0x1161, 0x11a7)
    let (leadCount, vowelCount, trailCount): (UInt32, UInt32, UInt32) = (19, 21, 28)
    if (leads..<leads + leadCount).contains(first), (vowels..<vowels + vowelCount).contains(second) {
      return Unicode.Scalar(syllables + ((first - leads) * vowelCount + (second - vowels)) * trailCount)
    }
    if (syllables..<syllables + leadCount * vowelCount * trailCount).contains(first),
      (first - syllables).isMultiple(of: trailCount), (trails + 1..<trails + trailCount).contains(second)
    {
      return Unicode.Scalar(first + (second - trails))
    }
    return nil
  }
}
