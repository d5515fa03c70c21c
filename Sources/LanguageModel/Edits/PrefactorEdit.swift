internal import TensorKernels

/// An edit of prefactors: W(alpha) = W + Σ_c (alpha_c - 1) U[c] ⊗ V[:, c].
public final class PrefactorEdit: Edit {
  /// How the alphas are tied together.
  public enum Sharing: Sendable, Hashable {
    /// One alpha for each subcomponent.
    case separate
    /// One alpha for all.
    case shared
  }

  /// A subcomponent with its two directions.
  public struct Subcomponent: Sendable {
    /// Its name.
    public let name: SubcomponentName
    /// Read direction V[:, c], d_in numbers.
    public let read: [Float]
    /// Write direction U[c, :], d_out numbers.
    public let write: [Float]

    /// Creates a subcomponent.
    public init(name: SubcomponentName, read: [Float], write: [Float]) {
      self.name = name
      self.read = read
      self.write = write
    }
  }

  /// The subcomponents' names, in the order of ``alphas``.
  public let names: [SubcomponentName]
  /// How the alphas are tied together.
  public let sharing: Sharing
  /// The alphas `[1, n]`, or `[1, 1]` if shared.
  public let parameters: [TrainableParameter]
  /// One change a site, of as many directions as the site has edited subcomponents.
  public let directions: [Site: LowRankDelta]
  /// Where each subcomponent lies: its site, and its direction within the site's change.
  private let places: [(site: Site, direction: Int)]

  /// Creates an edit at alpha = 1, which changes nothing.
  public init(_ subcomponents: [Subcomponent], sharing: Sharing) {
    precondition(!subcomponents.isEmpty, "an edit of no subcomponent")
    names = subcomponents.map(\.name)
    self.sharing = sharing
    let count = sharing == .shared ? 1 : subcomponents.count
    let ones = [Float](repeating: 1, count: count)
    parameters = [
      TrainableParameter(name: "alpha", value: Matrix(rows: 1, columns: count, elements: ones))
    ]
    var bySite: [Site: [Subcomponent]] = [:]
    var places: [(site: Site, direction: Int)] = []
    for subcomponent in subcomponents {
      let site = subcomponent.name.site
      places.append((site, bySite[site]?.count ?? 0))
      bySite[site, default: []].append(subcomponent)
    }
    self.places = places
    directions = bySite.mapValues { members in
      LowRankDelta(
        read: Matrix(rows: members.count, columns: members[0].read.count, elements: members.flatMap(\.read)),
        write: Matrix(rows: members.count, columns: members[0].write.count, elements: members.flatMap(\.write)),
        scales: Matrix(rows: 1, columns: members.count),
        gradients: .init(scales: Matrix(rows: 1, columns: members.count)))
    }
  }

  /// One change a site.
  public var deltas: [Site: any WeightDelta] { directions }

  /// How many alphas there are to train.
  public var alphaCount: Int { parameters[0].value.columns }

  /// The alpha of each subcomponent.
  public var alphas: [Double] {
    get { names.indices.map { Double(parameters[0].value[0, parameterIndex($0)]) } }
    set {
      precondition(newValue.count == names.count, "one alpha a subcomponent")
      for (index, alpha) in newValue.enumerated() {
        parameters[0].value[0, parameterIndex(index)] = Float(alpha)
      }
      parametersChanged()
    }
  }

  /// A copy of this edit with every alpha set to one value; the directions are shared, not copied.
  public func setting(_ alpha: Double) -> PrefactorEdit {
    let copy = PrefactorEdit(sharingDirectionsOf: self)
    copy.alphas = names.map { _ in alpha }
    return copy
  }

  /// The edit as it stands, apart from what becomes of this one; the directions are shared, not copied.
  public func copy() -> any Edit { PrefactorEdit(sharingDirectionsOf: self) }

  private init(sharingDirectionsOf other: PrefactorEdit) {
    names = other.names
    sharing = other.sharing
    places = other.places
    parameters = [
      TrainableParameter(name: "alpha", value: Matrix(copying: other.parameters[0].value))
    ]
    directions = other.directions.mapValues { delta in
      LowRankDelta(
        read: delta.read, write: delta.write, scales: Matrix(copying: delta.scales),
        gradients: .init(scales: Matrix(rows: 1, columns: delta.rank)))
    }
  }

  private func parameterIndex(_ subcomponent: Int) -> Int {
    sharing == .shared ? 0 : subcomponent
  }

  /// scale_c = alpha_c - 1.
  public func parametersChanged() {
    for (index, place) in places.enumerated() {
      directions[place.site]?.scales[0, place.direction] = parameters[0].value[0, parameterIndex(index)] - 1
    }
  }

  /// d alpha += d scale; a shared alpha takes the sum.
  public func collectGradients() {
    for (index, place) in places.enumerated() {
      guard let gradient = directions[place.site]?.gradients.scales else { continue }
      parameters[0].gradient[0, parameterIndex(index)] += gradient[0, place.direction]
    }
  }

  /// Sets every gradient to zero.
  public func clearGradients() {
    parameters[0].gradient.fill(0)
    for delta in directions.values { delta.gradients.scales?.fill(0) }
  }
}

extension Decomposition {
  /// A subcomponent with its two directions, to be edited.
  ///
  /// - Throws: if there is no such subcomponent, or one of its numbers is not finite.
  public func subcomponent(_ name: SubcomponentName) throws(InputFileError) -> PrefactorEdit.Subcomponent {
    let (read, write) = try directions(of: name)
    return PrefactorEdit.Subcomponent(name: name, read: read, write: write)
  }
}
