/// A packed batch: sequences laid one after the other into rows, each with the edit that it is run under.
///
/// One forward pass takes every product over all N rows at once, whoever they belong to; attention and positions
/// stay within a sequence.
public struct TokenBatch: Sendable {
  /// A sequence of the batch.
  public struct Segment: Sendable, Hashable {
    /// Its rows.
    public let rows: Range<Int>
    /// Index into the pass's edits; `nil` = the base model.
    public let edit: Int?
  }

  /// Input token of every row.
  public private(set) var inputs: [Int] = []
  /// The sequences, in the order of their rows.
  public private(set) var segments: [Segment] = []

  /// Creates an empty batch.
  public init() {}

  /// Creates a batch of sequences under one edit (index 0) or none.
  public init(sequences: [[Int]], edited: Bool) {
    for sequence in sequences {
      append(sequence, edit: edited ? 0 : nil)
    }
  }

  /// Number of rows.
  public var rows: Int { inputs.count }

  /// Lays a sequence behind the others; empty ones are left out.
  public mutating func append(_ sequence: [Int], edit: Int?) {
    guard !sequence.isEmpty else { return }
    segments.append(Segment(rows: inputs.count..<inputs.count + sequence.count, edit: edit))
    inputs += sequence
  }

  /// Row ranges of the sequences.
  var segmentRows: [Range<Int>] { segments.map(\.rows) }

  /// Maximal row ranges under one edit.
  var editedRuns: [(edit: Int, rows: Range<Int>)] {
    var runs: [(edit: Int, rows: Range<Int>)] = []
    for segment in segments {
      guard let edit = segment.edit else { continue }
      if let last = runs.last, last.edit == edit, last.rows.upperBound == segment.rows.lowerBound {
        runs[runs.count - 1].rows = last.rows.lowerBound..<segment.rows.upperBound
      } else {
        runs.append((edit, segment.rows))
      }
    }
    return runs
  }
}
