internal import HeapModule

/// Byte-pair encoding: neighbouring tokens are merged, the pair that was learned earliest first.
struct BytePairMerges: Sendable {
  /// What a pair of neighbours becomes.
  struct Merge: Sendable {
    /// Place in the list of merges; the lowest is applied first.
    let rank: Int
    /// The token that replaces the pair.
    let id: Int
  }

  /// Two neighbouring tokens.
  struct Pair: Hashable, Sendable {
    let left, right: Int
  }

  private let merges: [Pair: Merge]

  init(_ merges: [Pair: Merge]) {
    self.merges = merges
  }

  /// A token of the word under way, linked to its neighbours.
  private struct Symbol {
    /// `nil` once it has been merged into its left neighbour.
    var id: Int?
    var previous: Int?
    var next: Int?
  }

  /// A merge that was possible when it was queued. Of equal ranks the leftmost comes first.
  private struct Candidate: Comparable {
    let merge: Merge
    let position: Int

    static func < (left: Candidate, right: Candidate) -> Bool {
      (left.merge.rank, left.position) < (right.merge.rank, right.position)
    }

    static func == (left: Candidate, right: Candidate) -> Bool {
      (left.merge.rank, left.position) == (right.merge.rank, right.position)
    }
  }

  /// Merges a word's tokens as far as they go. Time O(n log n) for n tokens.
  func apply(to tokens: [Int]) -> [Int] {
    guard tokens.count > 1 else { return tokens }
    var symbols = tokens.indices.map { index in
      Symbol(
        id: tokens[index], previous: index > 0 ? index - 1 : nil, next: index + 1 < tokens.count ? index + 1 : nil)
    }
    var queue = Heap(
      (0..<tokens.count - 1).compactMap { position in
        merges[Pair(left: tokens[position], right: tokens[position + 1])]
          .map { Candidate(merge: $0, position: position) }
      })
    while let candidate = queue.popMin() {
      let position = candidate.position
      // A candidate is out of date if its pair no longer stands there; it still holds if another pair stands there
      // that becomes the same token.
      guard let left = symbols[position].id, let next = symbols[position].next, let right = symbols[next].id,
        merges[Pair(left: left, right: right)]?.id == candidate.merge.id
      else { continue }
      symbols[position].id = candidate.merge.id
      symbols[position].next = symbols[next].next
      symbols[next].id = nil
      if let following = symbols[next].next { symbols[following].previous = position }
      for start in [symbols[position].previous, position].compactMap(\.self) {
        if let left = symbols[start].id, let end = symbols[start].next, let right = symbols[end].id,
          let merge = merges[Pair(left: left, right: right)]
        {
          queue.insert(Candidate(merge: merge, position: start))
        }
      }
    }
    return symbols.compactMap(\.id)
  }
}
