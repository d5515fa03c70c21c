/// What is under way, by the head of the cells that it is for. A look-up costs no hashing: a sweep's cells are numbered
/// from 0, and few of them are under way at a time.
struct EffortTable: Sendable {
  /// By cell, the place of its effort in `entries`; -1 where there is none.
  private var places: [Int32] = []
  private var entries: [(head: CellID, effort: Scheduler.Effort?)] = []
  /// Places in `entries` that are free.
  private var free: [Int32] = []

  /// Makes room for one more cell.
  mutating func appendCell() {
    places.append(-1)
  }

  /// Makes room for so many cells without doing so again for each.
  mutating func reserveCells(_ count: Int) {
    places.reserveCapacity(count)
  }

  /// Whether there is an effort for a head.
  func contains(_ head: CellID) -> Bool { places[head.index] >= 0 }

  /// The effort for a head, if there is one.
  subscript(head: CellID) -> Scheduler.Effort? {
    let place = places[head.index]
    return place >= 0 ? entries[Int(place)].effort : nil
  }

  /// Begins an effort for a head that has none.
  mutating func insert(_ head: CellID) {
    let place = free.popLast() ?? Int32(entries.count)
    places[head.index] = place
    if Int(place) == entries.count {
      entries.append((head, Scheduler.Effort()))
    } else {
      entries[Int(place)] = (head, Scheduler.Effort())
    }
  }

  /// Forgets the effort for a head that has one.
  mutating func remove(_ head: CellID) {
    let place = places[head.index]
    places[head.index] = -1
    entries[Int(place)].effort = nil
    free.append(place)
  }

  /// Changes the effort for a head, if there is one.
  mutating func update(_ head: CellID, _ change: (inout Scheduler.Effort) -> Void) {
    let place = places[head.index]
    guard place >= 0, var effort = entries[Int(place)].effort.take() else { return }
    change(&effort)
    entries[Int(place)].effort = effort
  }

  /// The heads that have an effort, ascending.
  var heads: [CellID] {
    entries.filter { $0.effort != nil }.map(\.head).sorted()
  }
}

/// Attempts by their numbers. Those that this scheduler spends are consecutive and are found without hashing.
struct AttemptTable: Sendable {
  /// Attempts of schedulers before this one.
  private var earlier: [AttemptID: Scheduler.AttemptEntry] = [:]
  private var spent: [Scheduler.AttemptEntry] = []
  /// The number of the first of `spent`.
  private let first: UInt64

  init(nextAttempt: AttemptID) {
    first = nextAttempt.number
  }

  /// What is known of an attempt; `nil` for a number that was never spent here.
  subscript(attempt: AttemptID) -> Scheduler.AttemptEntry? {
    get {
      guard attempt.number >= first else { return earlier[attempt] }
      let place = attempt.number - first
      return place < spent.count ? spent[Int(place)] : nil
    }
  }

  /// Adds an attempt of an earlier scheduler.
  mutating func restore(_ attempt: AttemptID, _ entry: Scheduler.AttemptEntry) {
    precondition(attempt.number < first, "attempt \(attempt.number) is not a past one")
    earlier[attempt] = entry
  }

  /// Spends the next number.
  mutating func append(_ entry: Scheduler.AttemptEntry) -> AttemptID {
    spent.append(entry)
    return AttemptID(first + UInt64(spent.count) - 1)
  }

  /// The number that ``append(_:)`` will spend.
  var next: AttemptID { AttemptID(first + UInt64(spent.count)) }

  /// Changes what is known of an attempt.
  mutating func update(_ attempt: AttemptID, _ change: (inout Scheduler.AttemptEntry) -> Void) {
    if attempt.number >= first {
      change(&spent[Int(attempt.number - first)])
    } else if var entry = earlier[attempt] {
      change(&entry)
      earlier[attempt] = entry
    }
  }
}
