internal import Foundation
public import LanguageModel
internal import TensorKernels

/// A place where a subcomponent is at its strongest, token by token.
public struct ActivationTrace: Sendable, Hashable, Encodable {
  /// A token, or several that only together are characters.
  public struct Token: Sendable, Hashable, Encodable {
    /// Its text.
    public let text: String
    /// V[:, c]·x ‖U[c]‖ at it; of several, the one farthest from zero.
    public let activation: Double

    /// Creates a token.
    public init(text: String, activation: Double) {
      self.text = text
      self.activation = activation
    }
  }

  /// The language.
  public let language: String
  /// The tokens around the place, in their order.
  public let tokens: [Token]
  /// Which of them is the place.
  public let place: Int

  /// Gathers tokens; `place` is one of them.
  public init(language: String, tokens: [Token], place: Int) {
    precondition(tokens.indices.contains(place), "a place among the tokens")
    self.language = language
    self.tokens = tokens
    self.place = place
  }

  /// What an example tells: of the text around the token it is not known how strong the subcomponent is there, and 0
  /// stands for it.
  public init(_ example: SubcomponentHarvest.Example) {
    self.init(
      language: example.language,
      tokens: [
        Token(text: example.before, activation: 0), Token(text: example.token, activation: example.activation),
        Token(text: example.after, activation: 0),
      ], place: 1)
  }

  /// - Parameters:
  ///   - tokens: at least one, with the activation at each.
  ///   - place: which of them is the place.
  init(language: String, tokens: [(id: Int, activation: Double)], place: Int, tokenizer: Tokenizer) {
    precondition(tokens.indices.contains(place), "a place among the tokens")
    var decoder = StreamingDecoder(tokenizer)
    var merged: [Token] = []
    var strongest = 0.0
    var found = 0
    for (position, token) in tokens.enumerated() {
      if abs(token.activation) > abs(strongest) { strongest = token.activation }
      if position == place { found = merged.count }
      var text = decoder.append(token.id)
      if position == tokens.count - 1 { text += decoder.finish() }
      guard !text.isEmpty else { continue }
      merged.append(Token(text: text, activation: strongest))
      strongest = 0
    }
    // A special token at the end may have no text of its own.
    if merged.isEmpty { merged.append(Token(text: "", activation: strongest)) }
    self.init(language: language, tokens: merged, place: min(found, merged.count - 1))
  }
}

extension Harvester {
  /// The windows in which a subcomponent is strongest, strongest first, each with its activation at the tokens around the
  /// strongest. As many as the harvest has examples, if there are. The model is run as far as the site once more.
  ///
  /// - Parameters:
  ///   - subcomponent: one of the decomposition's.
  ///   - before: how many tokens ahead of each place are told.
  ///   - behind: how many behind it.
  public func traces(of subcomponent: SubcomponentName, before: Int, behind: Int) -> [ActivationTrace] {
    guard let factors = decomposition[subcomponent.site], subcomponent.index < factors.count else {
      preconditionFailure("no \(subcomponent)")
    }
    let norm = factors.write.copyOfRow(subcomponent.index).reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot()
    var kept: [(size: Float, language: Int, window: TokenWindow, row: Int, activations: ArraySlice<Float>)] = []
    for (language, text) in languages.enumerated() {
      for group in TokenWindow.groups(of: text.windows) {
        let activations = self.activations(of: factors, subcomponent.index, in: group)
        var start = 0
        for window in group {
          let own = activations[start..<start + window.inputs.count]
          start += window.inputs.count
          // One place a window: its neighbours are told with it.
          guard let row = own.indices.max(by: { abs(own[$0]) < abs(own[$1]) }) else { continue }
          let size = abs(own[row])
          let position = kept.firstIndex { $0.size < size } ?? kept.count
          guard size > 0, position < examples else { continue }
          kept.insert((size, language, window, row - own.startIndex, own), at: position)
          if kept.count > examples { kept.removeLast() }
        }
      }
    }
    return kept.map { place in
      let around = Self.tokens(around: place.row, in: place.window, before: before, behind: behind)
      let tokens = around.map { row in
        (id: place.window.inputs[row], activation: Double(place.activations[place.activations.startIndex + row]) * norm)
      }
      return ActivationTrace(
        language: languages[place.language].name, tokens: tokens, place: place.row - around.lowerBound,
        tokenizer: tokenizer)
    }
  }

  /// The activations of one subcomponent at every token of some windows, computed as for the others of its site.
  private func activations(
    of factors: Decomposition.Factors, _ index: Int, in windows: ArraySlice<TokenWindow>
  ) -> [Float] {
    let inputs = model.inputs(at: factors.site, of: Array(windows))
    let all = Matrix(uninitializedRows: inputs.rows, columns: factors.count)
    Product.multiply(inputs, factors.read, into: all)
    return (0..<all.rows).map { all[$0, index] }
  }
}
