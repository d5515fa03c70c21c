internal import ContentHash
internal import Foundation
internal import SweepCoordinator
internal import SweepCore
internal import SweepStore
internal import SweepWire

/// The sweeps that inputs are about: always the same, so that the numbers in them keep their meaning.
enum Trial {
  /// The cells of both sweeps, in the order in which a coordinator counts them.
  static let cells = sweeps.flatMap(\.cells)

  private static let sweeps = ["first", "second"].enumerated().map { position, name in
    SweepEntry(
      SweepDescription(
        name: name, digest: SHA256Digest(of: name), file: "sweep: \(name)\n", vocabularySize: 1000, goal: SweepGoal(),
        auditFraction: [0, 0.5][position]),
      // They share a cell.
      cells: (0..<5).map { cell($0, seed: UInt64($0 + 4 * position)) })
  }

  private static func cell(_ index: Int, seed: UInt64) -> Cell {
    let digest = SHA256Digest(of: "a file")
    return Cell(
      index: index, method: index % 2 == 0 ? "even" : "odd",
      specification: CellSpecification(
        target: TargetReference(weights: digest, configuration: digest, tokenizer: digest, decomposition: nil),
        corpora: [CorpusReference(name: "german", role: .forget, text: digest, cut: nil)], start: "\n",
        evaluation: EvaluationSettings(tokensPerCorpus: 512, context: 128),
        edit: .prefactors(subcomponents: ["h.0.mlp.c_fc:1"], alphas: .fixed(0.5)), training: nil, seed: seed))
  }

  /// What a store makes of the sweeps, and of everything that people can want of them.
  private static let (open, wishes): (OpenSweeps, [StoreRequest]) = {
    let folder = FileManager.default.temporaryDirectory.appending(path: "pdsweep-fuzz-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: folder) }
    do {
      try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: false)
      let path = folder.appending(path: "store").path
      let store = try SweepStore(path: path)
      let open = try store.begin(sweeps, at: Date(timeIntervalSince1970: 0))
      for sweep in [nil, open.sweeps[0].id, open.sweeps[1].id] {
        for wish in [StoreRequest.Wish.pause, .resume, .cancel, .prioritise(3), .retry([0, 1, 2, 3, 4, 99])] {
          try store.enter(wish, for: sweep, at: Date(timeIntervalSince1970: 0))
        }
      }
      return (open, try StoreReader(path: path).openRequests())
    } catch {
      preconditionFailure("the trial cannot be set up: \(error)")
    }
  }()

  /// The name of the store that hellos give to be believed.
  static let storeName = "store"

  /// One of the things that people can want.
  static func wish(_ number: Int) -> StoreRequest {
    wishes[number % wishes.count]
  }

  /// A coordinator that has just started.
  static func session() -> CoordinatorSession {
    CoordinatorSession(
      open,
      CoordinatorSession.Configuration(
        coordinatorID: "coordinator", storeID: storeName, engineVersion: "1", build: "1",
        artefacts: [Artefact(digest: SHA256Digest(of: "a file"), role: "weights", name: "weights", size: 6)]),
      at: Instant(nanoseconds: 0))
  }

  /// What an engine makes of a cell.
  ///
  /// - Parameter windows: What the first window of each split reads; `nil` for a result without windows.
  static func result(
    _ cell: Cell, attempt: UInt64, alpha: Double = 0.5, windows: Float? = nil
  ) -> AttemptResult {
    let losses = SplitLosses(validation: 4.25, test: Double(cell.index))
    let result = CellResult(
      evaluations: [
        EvaluationPoint(
          step: 0, corpora: [CorpusScore(name: "german", role: .forget, base: losses, edited: losses)])
      ], steps: [], edit: .prefactors(alphas: [alpha]), forgetTokens: 0, retainTokens: 0)
    return AttemptResult(
      attempt: AttemptID(attempt), fingerprint: cell.fingerprint, result: CanonicalJSON.encode(result),
      report: CanonicalJSON.encode(
        AttemptReport(wallSeconds: 1, tokensPerSecond: 1000, host: "here", engineVersion: "1")),
      windows: windows.map { first in
        let corpus = WindowLosses(validation: [first, 4.5, 4, 4.5], test: [first, 1, 0, 1])
        return WindowBytes(ResultWindows(base: [corpus], edited: [[corpus]]))
      })
  }
}
