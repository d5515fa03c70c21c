public import ContentHash
public import SweepCore

/// A specification that a store knows, and what became of the cells that have it.
public struct KnownSpecification: Sendable, Hashable {
  /// What became of cells with a specification.
  public enum Standing: Sendable, Hashable {
    /// There is a result, which a cell of this sweep brought.
    case completed(sweep: String)
    /// They failed so.
    case failed(CellFailure.Kind)
    /// They were cancelled.
    case cancelled
    /// They have not ended.
    case unended
  }

  /// The specification.
  public let specification: CellSpecification
  /// Its fingerprint.
  public let fingerprint: SHA256Digest
  /// What became of it.
  public let standing: Standing

  /// Creates a description.
  public init(_ specification: CellSpecification, fingerprint: SHA256Digest, standing: Standing) {
    self.specification = specification
    self.fingerprint = fingerprint
    self.standing = standing
  }
}

/// Says of every cell of a sweep whether a store's results serve it, and if not, why: in what the nearest result
/// differs.
public struct ReuseReport: Sendable {
  /// Cells of a method of which the same is to be said.
  public struct Group: Sendable, Hashable {
    /// The method.
    public let method: String
    /// The sweep whose results serve these cells; `nil` where none do.
    public let cachedFrom: String?
    /// One line for people.
    public let reason: String
    /// The cells, by their indices.
    public var cells: [Int]
  }

  /// The groups, in the order of their first cells.
  public let groups: [Group]

  /// Compares the cells of a sweep with what a store knows.
  public init(_ cells: [Cell], known: [KnownSpecification]) {
    let standings = Dictionary(known.map { ($0.fingerprint, $0.standing) }) { first, _ in first }
    // Whoever finds every cell need not look for others that are like it.
    let isWanting = cells.contains { cell in
      if case .completed = standings[cell.fingerprint] { false } else { true }
    }
    let nearest = isWanting ? NearestResults(known) : NearestResults([])
    var groups: [Key: (place: Int, values: [String])] = [:]
    var found: [(key: Key, cells: [Int])] = []
    for cell in cells {
      let (key, value) = Self.say(of: cell, standings[cell.fingerprint], nearest)
      if groups[key] == nil {
        groups[key] = (found.count, [])
        found.append((key, []))
      }
      guard let place = groups[key]?.place else { continue }
      found[place].cells.append(cell.index)
      if let value, groups[key]?.values.contains(value) == false { groups[key]?.values.append(value) }
    }
    self.groups = found.map { key, cells in
      Group(
        method: key.method, cachedFrom: key.cachedFrom, reason: key.text(values: groups[key]?.values ?? []),
        cells: cells)
    }
  }

  /// What cells have in common of which the same is said, but for a value.
  private struct Key: Hashable {
    let method: String
    var cachedFrom: String?
    let reason: String

    /// The reason with the values that it is about.
    func text(values: [String]) -> String {
      guard !values.isEmpty else { return reason }
      let shown = values.prefix(5).joined(separator: ", ")
      return "\(reason): no result with \(shown)" + (values.count > 5 ? " and \(values.count - 5) more values" : "")
    }
  }

  private static func say(
    of cell: Cell, _ standing: KnownSpecification.Standing?, _ nearest: NearestResults
  ) -> (Key, value: String?) {
    func key(_ reason: String) -> Key { Key(method: cell.method, reason: reason) }
    switch standing {
    case .completed(let sweep):
      return (Key(method: cell.method, cachedFrom: sweep, reason: "has a result of \(sweep)"), nil)
    case .failed(let kind): return (key("failed before: \(kind.rawValue)"), nil)
    case .cancelled: return (key("was cancelled before"), nil)
    case .unended: return (key("is in the store and has not ended"), nil)
    case nil: break
    }
    guard let differences = nearest.differences(from: cell.specification) else { return (key("never run"), nil) }
    if differences.count == 1, let only = differences.first, !only.isFile, let wanted = only.wanted {
      return (key(only.path), wanted)
    }
    return (key(differences.map(\.text).joined(separator: "; ")), nil)
  }
}
