/// Puts what a subcomponent does into words, from its strengths alone: nobody says beforehand what to look for.
///
/// - "german": in one language it is at least ``gap`` times as strong as in every other;
/// - "languages: german french": in each of these it is at least so much stronger than in every other;
/// - "all languages but english": the same, where only one language is left out;
/// - "all languages": there is no such gap;
/// - behind one of these ", rare: ung": it acts on fewer than ``rareDensity`` of the tokens, and at least half of the
///   places where it is strongest are of one token;
/// - "nothing": it acts nowhere.
enum SubcomponentLabel {
  /// How much stronger it must be in some languages than in the others.
  static let gap = 3.0
  /// The density below which it may be rare.
  static let rareDensity = 0.02
  /// How many of the places where it is strongest are looked at.
  static let places = 5

  /// - Parameters:
  ///   - strengths: strength by language, in any order, none below zero.
  ///   - density: over the tokens of all languages together.
  ///   - tokens: those at which it is strongest.
  static func words(strengths: [(language: String, strength: Double)], density: Double, tokens: [String]) -> String {
    let languages = about(strengths)
    guard density < rareDensity, languages != nothing else { return languages }
    let counts = Dictionary(tokens.map { (trimmed($0), 1) }, uniquingKeysWith: +).filter { !$0.key.isEmpty }
    guard let most = counts.max(by: { ($0.value, $1.key) < ($1.value, $0.key) }), most.value * 2 >= tokens.count else {
      return languages
    }
    return "\(languages), rare: \(most.key)"
  }

  private static let nothing = "nothing"

  private static func about(_ strengths: [(language: String, strength: Double)]) -> String {
    let order = strengths.sorted { ($1.strength, $0.language) < ($0.strength, $1.language) }
    guard let strongest = order.first, strongest.strength > 0 else { return nothing }
    // The widest gap between neighbours in the order; a gap down to zero is the widest of all.
    let gaps = zip(order, order.dropFirst()).map { $0.strength / $1.strength }
    guard let widest = gaps.indices.max(by: { gaps[$0] < gaps[$1] }), gaps[widest] >= gap else {
      return "all languages"
    }
    let names = order[...widest].map(\.language)
    if names.count == 1 { return names[0] }
    if names.count == order.count - 1, let other = order.last { return "all languages but \(other.language)" }
    return "languages: " + names.sorted().joined(separator: " ")
  }

  private static func trimmed(_ token: String) -> String {
    String(token.drop(while: \.isWhitespace).reversed().drop(while: \.isWhitespace).reversed())
  }
}
