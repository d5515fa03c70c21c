/// What one subcomponent does to text, by language.
public struct SubcomponentHarvest: Sendable, Hashable, Codable {
  /// A place where a subcomponent is at its strongest.
  public struct Example: Sendable, Hashable, Codable {
    /// The language.
    public let language: String
    /// The token at which it acts.
    public let token: String
    /// The text before it.
    public let before: String
    /// The text behind it, which the subcomponent has not seen.
    public let after: String
    /// V[:, c]·x ‖U[c]‖.
    public let activation: Double
  }

  /// The language that it acts on most.
  public struct Selectivity: Sendable, Hashable, Codable {
    /// The language.
    public let language: String
    /// Its strength there over the highest strength in another language; 0 if it does nothing anywhere.
    public let ratio: Double
  }

  /// The site.
  public let site: String
  /// Its number within the site.
  public let index: Int
  /// What it is about, in words; see ``SubcomponentLabel``.
  public let label: String
  /// The root mean square of V[:, c]·x over the language's tokens, times ‖U[c]‖.
  public let strength: [String: Double]
  /// The mean over the language's tokens of the causal importance g, from 0 to 1; `nil` where the decomposition brings
  /// no importance function.
  public let importance: [String: Double]?
  /// The gradient of the language's mean cross-entropy with respect to the prefactor, at the base model, nats. Below
  /// zero where a little more of the subcomponent would help to predict the language.
  public let attribution: [String: Double]
  /// On how many of the language's tokens it acts: (mean |a|)² / mean a² of a = V[:, c]·x. It is 1 for a subcomponent
  /// that is equally strong everywhere, and p for one that is on a part p of the tokens and off elsewhere.
  public let density: [String: Double]
  /// The language that it acts on most.
  public let selectivity: Selectivity
  /// Where it is strongest, strongest first.
  public let examples: [Example]
}
