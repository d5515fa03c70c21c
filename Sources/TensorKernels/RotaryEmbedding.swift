internal import Foundation

/// Rotary position embedding (Su et al., arXiv 2104.09864) over the whole head: pairs of components are turned by
/// position x base^(-j / (d / 2)), j < d / 2.
public struct RotaryEmbedding: Sendable {
  /// Which components of a head form a pair.
  public enum Layout: Sendable, Hashable {
    /// Component j with j + d / 2.
    case halves
    /// Component 2j with 2j + 1.
    case adjacent
  }

  private let headDimension: Int
  private let layout: Layout
  private let cosines: ConstantMatrix
  private let sines: ConstantMatrix

  /// Tables for positions below `positions`; angles are taken in double precision.
  public init(headDimension: Int, positions: Int, base: Double, layout: Layout) {
    precondition(headDimension > 0 && headDimension.isMultiple(of: 2), "pairs need an even head dimension")
    self.headDimension = headDimension
    self.layout = layout
    let half = headDimension / 2
    var cosines: [Float] = []
    var sines: [Float] = []
    for position in 0..<positions {
      for pair in 0..<half {
        let angle = Double(position) * Foundation.pow(base, -Double(pair) / Double(half))
        cosines.append(Float(Foundation.cos(angle)))
        sines.append(Float(Foundation.sin(angle)))
      }
    }
    self.cosines = ConstantMatrix(rows: positions, columns: half, elements: cosines)
    self.sines = ConstantMatrix(rows: positions, columns: half, elements: sines)
  }

  /// Number of positions that the tables hold.
  public var positions: Int { cosines.rows }

  /// Turns every head of x `[T, heads x d]` in place; row t stands at position `start + t`. `inverse` turns back,
  /// which is also the backward pass, for rotations are orthogonal.
  public func rotate(_ x: Matrix, start: Int = 0, inverse: Bool = false) {
    precondition(x.columns.isMultiple(of: headDimension), "rows hold whole heads")
    precondition(start >= 0 && start + x.rows <= positions, "position beyond the rotary tables")
    let half = headDimension / 2
    let (first, second, step) = layout == .halves ? (0, half, 1) : (0, 1, 2)
    for row in 0..<x.rows {
      let cosine = unsafe cosines.base + (start + row) * half
      let sine = unsafe sines.base + (start + row) * half
      for head in 0..<(x.columns / headDimension) {
        let values = unsafe x.pointer + row * x.stride + head * headDimension
        for pair in 0..<half {
          let a = unsafe values[first + pair * step]
          let b = unsafe values[second + pair * step]
          let c = unsafe cosine[pair]
          let s = unsafe inverse ? -sine[pair] : sine[pair]
          unsafe values[first + pair * step] = a * c - b * s
          unsafe values[second + pair * step] = b * c + a * s
        }
      }
    }
  }
}
