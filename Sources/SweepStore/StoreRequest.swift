public import Foundation

/// Something that somebody wants of the coordinator of a store. It is kept in the store until a coordinator, now or
/// later, has taken it up.
public struct StoreRequest: Sendable, Hashable {
  /// Names a request within its store. Later requests have greater numbers.
  public struct ID: Sendable, Hashable, Comparable {
    let row: Int64

    /// Orders by time.
    public static func < (left: ID, right: ID) -> Bool { left.row < right.row }
  }

  /// What is wanted.
  public enum Wish: Sendable, Hashable {
    /// That no more cells are handed out.
    case pause
    /// That cells are handed out again.
    case resume
    /// That every cell that has not ended is called off.
    case cancel
    /// That the sweep goes before those with a smaller number.
    case prioritise(Int)
    /// That these cells, by their places in the sweep, are run again if they failed or were cancelled.
    case retry([Int])
  }

  /// Its name.
  public let id: ID
  /// When it was made.
  public let at: Date
  /// The sweep it is about; `nil` for all sweeps of the store.
  public let sweep: SweepID?
  /// What is wanted.
  public let wish: Wish
}

extension StoreRequest.Wish {
  /// How the wish is written in the columns `verb` and `argument`.
  var columns: (verb: String, argument: String?) {
    switch self {
    case .pause: ("pause", nil)
    case .resume: ("resume", nil)
    case .cancel: ("cancel", nil)
    case .prioritise(let priority): ("prioritise", "\(priority)")
    case .retry(let cells): ("retry", CellRanges.text(of: cells))
    }
  }

  /// Reads the columns.
  ///
  /// - Throws: ``StoreError/damaged(path:detail:)``.
  init(verb: String, argument: String?, path: String) throws(StoreError) {
    let wish: Self? =
      switch verb {
      case "pause": .pause
      case "resume": .resume
      case "cancel": .cancel
      case "prioritise": argument.flatMap { Int($0) }.map { .prioritise($0) }
      case "retry": argument.flatMap { CellRanges.cells(in: $0) }.map { .retry($0) }
      default: nil
      }
    guard let wish else { throw .damaged(path: path, detail: "a request reads \(verb) \(argument ?? "")") }
    self = wish
  }
}

/// Cells as people write them: `0-4,7`.
enum CellRanges {
  /// The text of ascending numbers.
  static func text(of cells: [Int]) -> String {
    var parts: [String] = []
    var index = 0
    while index < cells.count {
      let first = index
      while index + 1 < cells.count, cells[index + 1] == cells[index] + 1 { index += 1 }
      parts.append(first == index ? "\(cells[first])" : "\(cells[first])-\(cells[index])")
      index += 1
    }
    return parts.joined(separator: ",")
  }

  /// The numbers that a text names; `nil` if it is no such text. A damaged text cannot name more than a million.
  static func cells(in text: String) -> [Int]? {
    guard !text.isEmpty else { return [] }
    var cells: [Int] = []
    for part in text.split(separator: ",", omittingEmptySubsequences: false) {
      let ends = part.split(separator: "-", omittingEmptySubsequences: false).map { Int($0) }
      guard ends.count <= 2, let first = ends.first ?? nil, let last = ends.last ?? nil, first >= 0, first <= last,
        cells.count + last - first < 1 << 20
      else { return nil }
      cells += first...last
    }
    return cells
  }
}
