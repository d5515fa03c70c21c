/// How often each word of some texts occurs: all that byte-level BPE learns from.
struct WordCounts {
  /// Occurrences by word. The words are slices of the texts, which therefore stay in memory.
  private(set) var occurrences: [ArraySlice<UInt8>: Int] = [:]
  /// Bytes of all texts together.
  private(set) var bytes = 0

  /// Counts the words of one more text.
  mutating func add(_ text: String) {
    let text = Array(text.utf8)
    bytes += text.count
    var scanner = WordScanner(text[...])
    while let word = scanner.next() { occurrences[word, default: 0] += 1 }
  }
}
