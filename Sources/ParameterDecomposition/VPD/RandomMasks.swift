internal import ContentHash
internal import LanguageModel
internal import TensorKernels

/// The random part of a step's masks for one part of its batch: which sites are masked in which row, and by what.
///
/// In every row a random number of sites, each number as likely as any other, and of the sites of this number any are
/// masked; the others are run by the base model (subset routing, the VPD report).
struct RandomMasks {
  private var generator: SplitMix64

  /// The masks of a part of a step.
  init(seed: Int, step: Int, part: Int) {
    generator = SplitMix64(seed: SHA256Digest(of: "vpd/\(seed)/step/\(step)/part/\(part)").leadingWord)
  }

  /// The masked rows of every site, ascending.
  mutating func routes(sites: Int, rows: Int) -> [[Int]] {
    var routes = [[Int]](repeating: [], count: sites)
    var order = Array(0..<sites)
    for row in 0..<rows {
      let count = Int.random(in: 1...sites, using: &generator)
      // The first `count` of Fisher and Yates's shuffle.
      for place in 0..<count {
        order.swapAt(place, Int.random(in: place..<sites, using: &generator))
        routes[order[place]].append(row)
      }
    }
    return routes
  }

  /// Uniform numbers.
  mutating func noise(rows: Int, columns: Int, from low: Double, to high: Double) -> Matrix {
    let matrix = Matrix(uninitializedRows: rows, columns: columns)
    UniformNoise.fill(matrix, seed: generator.next(), from: Float(low), to: Float(high))
    return matrix
  }
}
