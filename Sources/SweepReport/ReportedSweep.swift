public import SweepCore

/// A sweep as reports see it. Everything made from equal values, with the records in any order, is equal byte for
/// byte; only ``provenanceCSV()`` tells of where and how fast cells ran.
public struct ReportedSweep: Sendable {
  /// The sweep's name.
  public let name: String
  /// The size of the target model's vocabulary.
  public let vocabularySize: Int
  /// The cells, by ascending index.
  public let records: [CellRecord]
  /// The corpora of all cells, in the order in which cells first name them.
  public let corpora: [CorpusReference]
  /// How the subcomponents were chosen that the sweep file does not name.
  public let selections: [SweepSelection]
  /// The frontiers.
  public let analysis: FrontierAnalysis

  /// Analyses the records of a sweep.
  public init(
    name: String, vocabularySize: Int, goal: SweepGoal, records: [CellRecord], selections: [SweepSelection] = []
  ) {
    self.name = name
    self.selections = selections
    self.vocabularySize = vocabularySize
    self.records = records.sorted { $0.cell.index < $1.cell.index }
    var corpora: [CorpusReference] = []
    for record in self.records {
      for corpus in record.cell.specification.corpora
      where !corpora.contains(where: { $0.name == corpus.name && $0.role == corpus.role }) {
        corpora.append(corpus)
      }
    }
    self.corpora = corpora
    analysis = FrontierAnalysis(records: records, vocabularySize: vocabularySize, goal: goal)
  }

  /// Names of the corpora of a role.
  func names(of role: CorpusRole) -> [String] {
    corpora.filter { $0.role == role }.map(\.name)
  }

  /// Names of the corpora of a role, joined for people; the role's name where there is none.
  func title(of role: CorpusRole) -> String {
    let names = names(of: role)
    return names.isEmpty ? role.rawValue : names.joined(separator: " + ")
  }

  /// Number of cells in each state.
  var cells: [CellRecord.State: Int] {
    records.reduce(into: [:]) { $0[$1.state, default: 0] += 1 }
  }
}
