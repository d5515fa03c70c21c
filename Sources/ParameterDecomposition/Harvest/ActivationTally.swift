internal import TensorKernels

/// Sums over the activations of a site's subcomponents, and the tokens at which each is strongest.
struct ActivationTally {
  /// A token of the text, and how strong a subcomponent is there.
  struct Place {
    /// The language's index.
    let language: Int
    /// The token's number within the language's text.
    let token: Int
    /// V[:, c]·x.
    let activation: Float
  }

  /// Sums over the tokens of one language, by subcomponent.
  struct Sums {
    var tokens = 0
    /// Of the squares of the activations.
    var squares: [Double]
    /// Of their sizes.
    var sizes: [Double]
    /// Of the importances; all zero where there is no importance function.
    var importances: [Double]

    init(subcomponents: Int) {
      squares = Array(repeating: 0, count: subcomponents)
      sizes = squares
      importances = squares
    }
  }

  /// The sums, by language.
  private(set) var sums: [Sums]
  /// The strongest places of each subcomponent, strongest first; of equally strong ones the first seen.
  private(set) var places: [[Place]]

  private let placesKept: Int
  /// What an activation must exceed to be among the strongest, by subcomponent.
  private var thresholds: [Float]

  init(subcomponents: Int, languages: Int, placesKept: Int) {
    sums = Array(repeating: Sums(subcomponents: subcomponents), count: languages)
    places = Array(repeating: [], count: subcomponents)
    thresholds = Array(repeating: 0, count: subcomponents)
    self.placesKept = placesKept
  }

  /// Adds activations `[n, C]` of a language's next n tokens, and their importances, if there are any.
  mutating func add(_ activations: Matrix, importances: Matrix?, language: Int) {
    for row in 0..<activations.rows {
      let values = activations.copyOfRow(row)
      for (index, value) in values.enumerated() {
        let size = abs(value)
        sums[language].squares[index] += Double(value) * Double(value)
        sums[language].sizes[index] += Double(size)
        if size > thresholds[index] {
          keep(Place(language: language, token: sums[language].tokens, activation: value), of: index)
        }
      }
      if let importances {
        for (index, importance) in importances.copyOfRow(row).enumerated() {
          sums[language].importances[index] += Double(importance)
        }
      }
      sums[language].tokens += 1
    }
  }

  private mutating func keep(_ place: Place, of index: Int) {
    let size = abs(place.activation)
    let position = places[index].firstIndex { abs($0.activation) < size } ?? places[index].count
    places[index].insert(place, at: position)
    if places[index].count > placesKept { places[index].removeLast() }
    if places[index].count == placesKept, let last = places[index].last { thresholds[index] = abs(last.activation) }
  }
}

extension ActivationTally.Sums {
  /// The root mean square of a subcomponent's activations.
  func rootMeanSquare(_ index: Int) -> Double {
    tokens == 0 ? 0 : (squares[index] / Double(tokens)).squareRoot()
  }

  /// (mean |a|)² / mean a², from 0 to 1; 0 if all activations are zero.
  func density(_ index: Int) -> Double {
    squares[index] == 0 ? 0 : sizes[index] * sizes[index] / (squares[index] * Double(tokens))
  }

  /// The mean importance of a subcomponent.
  func meanImportance(_ index: Int) -> Double {
    tokens == 0 ? 0 : importances[index] / Double(tokens)
  }

  /// The sums over two texts.
  static func + (left: Self, right: Self) -> Self {
    var sum = left
    sum.tokens += right.tokens
    for index in sum.squares.indices {
      sum.squares[index] += right.squares[index]
      sum.sizes[index] += right.sizes[index]
      sum.importances[index] += right.importances[index]
    }
    return sum
  }
}
