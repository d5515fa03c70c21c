internal import HeapModule

/// Learns which neighbouring tokens to merge (Sennrich, Haddow and Birch, ACL 2016).
///
/// At every step the pair of neighbours that occurs most often becomes one token. Occurrences that overlap count each:
/// "aaa" holds the pair of two "a" twice. Of pairs that occur equally often, that with the lowest left id is taken,
/// then that with the lowest right id. Both rules are those of the `tokenizers` library.
///
/// Every pair knows its number of occurrences and the words that hold it, so a merge visits these words alone. Only a
/// merge that makes a new token makes new pairs, each with that token in it; from then on a pair's number can only
/// fall. A queue entry may therefore promise too much, never too little: it is put back with its present number when
/// it comes to the front.
struct BytePairTraining {
  typealias Pair = BytePairMerges.Pair

  private struct Occurrences {
    var count = 0
    /// The words that hold the pair, and some that no longer do.
    var words: [Int] = []

    /// Counts more in a word. Returns whether these are the first.
    mutating func add(_ more: Int, in word: Int) -> Bool {
      let areFirst = words.isEmpty
      count += more
      // A pair gains words one after the other, in one merge: only the last may be there already.
      if words.last != word { words.append(word) }
      return areFirst
    }
  }

  /// A pair with the number of its occurrences when it was queued.
  private struct Candidate: Comparable {
    let count: Int
    let pair: Pair

    static func < (left: Candidate, right: Candidate) -> Bool {
      (left.count, right.pair.left, right.pair.right) < (right.count, left.pair.left, left.pair.right)
    }
  }

  /// The words, each once, as their tokens.
  private var words: [[Int]]
  /// How often each word occurs.
  private let counts: [Int]
  private var occurrences: [Pair: Occurrences] = [:]
  private var queue = Heap<Candidate>()

  /// Begins with words as their first tokens, and how often each occurs.
  init(_ words: some Sequence<(tokens: [Int], count: Int)>) {
    self.words = words.map(\.tokens)
    counts = words.map(\.count)
    for (index, tokens) in self.words.enumerated() {
      for (left, right) in zip(tokens, tokens.dropFirst()) { add(Pair(left: left, right: right), in: index) }
    }
    queue = Heap(occurrences.map { Candidate(count: $1.count, pair: $0) })
  }

  /// Learns up to `limit` merges of pairs that occur at least `minimumFrequency` times. The first becomes the token
  /// `firstID`, the next the one after it.
  ///
  /// No two merges make the same token: between two borders that no merge crosses, a word's tokens develop by these
  /// borders' content alone, so equal content always gets merged in the same way.
  mutating func learn(_ limit: Int, firstID: Int, minimumFrequency: Int) -> [Pair] {
    var merges: [Pair] = []
    while merges.count < limit, let pair = mostFrequentPair(atLeast: max(1, minimumFrequency)) {
      merge(pair, into: firstID + merges.count)
      merges.append(pair)
    }
    return merges
  }

  private mutating func mostFrequentPair(atLeast minimum: Int) -> Pair? {
    while let front = queue.popMax() {
      let count = occurrences[front.pair]?.count ?? 0
      if count == front.count { return count >= minimum ? front.pair : nil }
      if count > 0 {
        queue.insert(Candidate(count: count, pair: front.pair))
      } else {
        occurrences[front.pair] = nil
      }
    }
    return nil
  }

  /// Replaces the pair in every word, from left to right, and counts the new pairs.
  private mutating func merge(_ pair: Pair, into id: Int) {
    guard let found = occurrences.removeValue(forKey: pair) else { return }
    var newPairs: [Pair] = []
    for word in found.words {
      // Taken out so that its memory is changed in place.
      var tokens: [Int] = []
      swap(&tokens, &words[word])
      var (read, written) = (0, 0)
      while read < tokens.count {
        guard read + 1 < tokens.count, tokens[read] == pair.left, tokens[read + 1] == pair.right else {
          tokens[written] = tokens[read]
          (read, written) = (read + 1, written + 1)
          continue
        }
        if written > 0 {
          let previous = tokens[written - 1]
          remove(Pair(left: previous, right: pair.left), in: word)
          if add(Pair(left: previous, right: id), in: word) { newPairs.append(Pair(left: previous, right: id)) }
        }
        if read + 2 < tokens.count {
          let next = tokens[read + 2]
          remove(Pair(left: pair.right, right: next), in: word)
          if add(Pair(left: id, right: next), in: word) { newPairs.append(Pair(left: id, right: next)) }
        }
        tokens[written] = id
        (read, written) = (read + 2, written + 1)
      }
      tokens.removeLast(tokens.count - written)
      swap(&tokens, &words[word])
    }
    for pair in newPairs {
      if let count = occurrences[pair]?.count, count > 0 { queue.insert(Candidate(count: count, pair: pair)) }
    }
  }

  /// Counts one more occurrence of a pair in each occurrence of a word. Returns whether the pair is new.
  @discardableResult
  private mutating func add(_ pair: Pair, in word: Int) -> Bool {
    occurrences[pair, default: Occurrences()].add(counts[word], in: word)
  }

  /// Counts one occurrence less. The pair that is being merged is not counted any more.
  private mutating func remove(_ pair: Pair, in word: Int) {
    occurrences[pair]?.count -= counts[word]
  }
}
