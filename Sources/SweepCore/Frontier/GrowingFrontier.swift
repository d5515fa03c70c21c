internal import Foundation

/// The fronts of a sweep and what they dominate, kept while results come in, in any order.
///
/// What it holds after any number of insertions is what ``FrontierAnalysis`` says of the same measurements, to the
/// last bit. An insertion takes O(budgets x log front), and more only where a front changes: then that front's
/// hypervolume is summed afresh, which is what makes it independent of the order.
public struct GrowingFrontier: Sendable {
  /// Names a measurement.
  public struct PointID: Sendable, Hashable, Comparable {
    /// The cell's place in the sweep.
    public let cell: Int
    /// Updates done before the measurement.
    public let step: Int

    /// Orders by cell and step.
    public static func < (left: PointID, right: PointID) -> Bool {
      (left.cell, left.step) < (right.cell, right.step)
    }
  }

  /// The fronts of some measurements, and what they dominate on each split.
  public struct Fronts: Sendable {
    private var flat = GrowingPlane()
    private var layered = GrowingSpace()
    /// The hypervolumes of both fronts; all zero without measurements.
    public private(set) var hypervolume = HypervolumeReading(
      plane: SplitLosses(validation: 0, test: 0), space: SplitLosses(validation: 0, test: 0))

    /// The front: retention cost and removal. By ascending retention cost on validation.
    public var plane: [PointID] { flat.members.map(\.id) }

    /// The front with the token budget as third axis, in the same order.
    public var space: [PointID] { layered.members.map(\.id) }

    fileprivate mutating func insert(_ member: FrontMember, reference: HypervolumeReference) {
      if flat.insert(member) {
        hypervolume.plane = reference.area(of: flat.members)
      }
      if layered.insert(member) {
        hypervolume.space = reference.volume(of: layered.unordered)
      }
    }
  }

  /// A method's fronts.
  public struct Method: Sendable {
    /// The fronts of all its measurements.
    public private(set) var fronts = Fronts()
    private var planes: [Int: GrowingPlane] = [:]

    /// The token budgets with measurements, ascending.
    public var budgets: [Int] { planes.keys.sorted() }

    /// The front at a token budget, by ascending retention cost on validation; empty without measurements.
    public func plane(at budget: Int) -> [PointID] {
      planes[budget]?.members.map(\.id) ?? []
    }

    fileprivate mutating func insert(_ member: FrontMember, reference: HypervolumeReference) {
      fronts.insert(member, reference: reference)
      _ = planes[member.tokenBudget, default: GrowingPlane()].insert(member)
    }
  }

  /// The cross-entropy of a uniform guess, nats.
  public let uniformGuess: Double
  /// The fronts of all methods together.
  public private(set) var fronts = Fronts()
  /// The methods with measurements, by name.
  public private(set) var methods: [String: Method] = [:]
  /// The greatest token budget of the sweep's cells.
  private let largestBudget: Int
  private var reference: HypervolumeReference?

  /// Creates the fronts of a sweep without results.
  ///
  /// - Parameter largestBudget: The greatest token budget of all cells of the sweep, finished or not.
  public init(vocabularySize: Int, largestBudget: Int) {
    uniformGuess = log(Double(vocabularySize))
    self.largestBudget = largestBudget
  }

  /// Takes in all measurements of a cell's result. The base model reads the same in all cells of a sweep; each cell
  /// may be inserted once.
  public mutating func insert(_ result: CellResult, of cell: Cell) {
    for point in TradeOffPoint.points(of: result, by: cell) { insert(point) }
  }

  /// Takes in one measurement.
  private mutating func insert(_ point: TradeOffPoint) {
    let reference = reference ?? HypervolumeReference(base: point, largestBudget: largestBudget)
    self.reference = reference
    let member = FrontMember(point, cap: uniformGuess)
    fronts.insert(member, reference: reference)
    methods[point.cell.method, default: Method()].insert(member, reference: reference)
  }
}
