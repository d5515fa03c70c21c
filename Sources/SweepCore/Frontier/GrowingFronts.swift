/// A measurement on a front.
struct FrontMember {
  let id: GrowingFrontier.PointID
  let tokenBudget: Int
  /// Retention cost and removal, capped, on validation.
  let validation: SIMD2<Double>
  /// The same on test.
  let test: SIMD2<Double>

  init(_ point: TradeOffPoint, cap: Double) {
    id = GrowingFrontier.PointID(cell: point.cell.index, step: point.evaluation.step)
    tokenBudget = point.tokenBudget
    validation = point.validation.capped(at: cap).axes
    test = point.test.capped(at: cap).axes
  }

  /// The order of fronts: by retention cost, removal, budget, cell and step.
  static func precedes(_ left: FrontMember, _ right: FrontMember) -> Bool {
    if left.validation.x != right.validation.x { return left.validation.x < right.validation.x }
    if left.validation.y != right.validation.y { return left.validation.y < right.validation.y }
    return (left.tokenBudget, left.id) < (right.tokenBudget, right.id)
  }
}

/// The non-dominated measurements of a plane, kept as they come in.
struct GrowingPlane {
  /// The front in its order: retention cost ascends, and removal with it. Equal readings stand side by side.
  private(set) var members: [FrontMember] = []

  /// Adds a measurement and drops those that it dominates. O(log n) to find its place; what is dropped and what
  /// stands behind is moved.
  ///
  /// - Returns: False, with nothing changed, if a member dominates it or a reading of it is not a number.
  mutating func insert(_ member: FrontMember) -> Bool {
    let (cost, removal) = (member.validation.x, member.validation.y)
    guard !member.validation.hasNaN else { return false }
    if let rival = rival(of: member.validation), rival.y > removal || rival.y == removal && rival.x < cost {
      return false
    }
    removeCovered(by: member.validation, keepingEquals: true)
    members.insert(member, at: members.firstPlace { !FrontMember.precedes($0, member) })
    return true
  }

  /// Whether a member is no worse than a reading on either axis.
  func covers(_ reading: SIMD2<Double>) -> Bool {
    rival(of: reading).map { $0.y >= reading.y } ?? false
  }

  /// Drops the members that are no better than a reading on either axis.
  mutating func removeCovered(by reading: SIMD2<Double>, keepingEquals: Bool) {
    let start = members.firstPlace { $0.validation.x >= reading.x }
    let end = members[start...].firstPlace { $0.validation.y > reading.y }
    if start < end, !keepingEquals || members[start].validation != reading { members.removeSubrange(start..<end) }
  }

  /// Of the readings that cost no more, the one that removes most.
  private func rival(of reading: SIMD2<Double>) -> SIMD2<Double>? {
    let behind = members.firstPlace { $0.validation.x > reading.x }
    return behind > 0 ? members[behind - 1].validation : nil
  }
}

/// The non-dominated measurements of a plane with the token budget as third axis, kept as they come in.
struct GrowingSpace {
  /// For each budget, ascending, its measurements that none of its own or of a smaller one dominates.
  private var layers: [(budget: Int, plane: GrowingPlane)] = []

  /// The front in its order.
  var members: [FrontMember] { unordered.sorted(by: FrontMember.precedes) }

  /// The front, by ascending budget.
  var unordered: [FrontMember] { layers.flatMap(\.plane.members) }

  /// Adds a measurement and drops those that it dominates.
  ///
  /// - Returns: False, with nothing changed, if a member dominates it or a reading of it is not a number.
  mutating func insert(_ member: FrontMember) -> Bool {
    let place = layers.firstPlace { $0.budget >= member.tokenBudget }
    if layers[..<place].contains(where: { $0.plane.covers(member.validation) }) { return false }
    if place == layers.count || layers[place].budget != member.tokenBudget {
      layers.insert((member.tokenBudget, GrowingPlane()), at: place)
    }
    guard layers[place].plane.insert(member) else { return false }
    for larger in layers.indices[(place + 1)...] {
      layers[larger].plane.removeCovered(by: member.validation, keepingEquals: false)
    }
    return true
  }
}

extension RandomAccessCollection {
  /// The first place where a condition holds, which must then hold at all that follow. O(log n).
  fileprivate func firstPlace(where condition: (Element) -> Bool) -> Index {
    var low = startIndex
    var count = self.count
    while count > 0 {
      let half = count / 2
      let middle = index(low, offsetBy: half)
      if condition(self[middle]) {
        count = half
      } else {
        low = index(after: middle)
        count -= half + 1
      }
    }
    return low
  }
}
