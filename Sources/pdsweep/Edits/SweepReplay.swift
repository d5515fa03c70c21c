internal import ContentHash
internal import Foundation
internal import LanguageModel
internal import SweepCore
internal import SweepReport
internal import SweepWire
internal import SweepWorker
internal import TensorKernels

/// Trains some edits of a finished sweep again.
struct SweepReplay: Sendable {
  /// An edit to be trained again.
  struct Wanted: Sendable {
    /// The measurement that says which.
    let point: TradeOffPoint
    /// What it was chosen for; empty where the user named its cell.
    let reasons: [EditChoice.Reason]
  }

  /// An edit that was trained again and is the recorded one. Belongs to the thread that trained it.
  struct Replayed {
    let record: EditRecord
    let cell: CellSpecification
    let edit: any Edit
  }

  /// The sweep.
  let sweep: ReportedSweep
  /// The edits, in the order of the sweep's methods; at least one.
  let wanted: [Wanted]
  private let files: [LocalArtefact]

  init(sweep: ReportedSweep, wanted: [Wanted], files: [LocalArtefact]) {
    self.sweep = sweep
    self.wanted = wanted
    self.files = files
  }

  /// The name of the file with a digest among the sweep's.
  func fileName(_ digest: SHA256Digest) -> String? { files.file(digest)?.artefact.name }

  /// Reads the target and the corpora. To be called on the thread that trains.
  ///
  /// Process-wide effect: the BLAS uses one thread, as it did in the sweep; more would change the order of sums.
  func load() throws -> CellReplay {
    Product.setThreads(1)
    return try CellReplay(wanted[0].point.cell.specification, files: files)
  }

  /// Trains the edits again, one after the other, on the calling thread.
  ///
  /// - Throws: ``ReplayFault`` for the first that is not what is recorded; what keeps it from being trained.
  func train(on engine: CellReplay, display: ProgressDisplay, isCancelled: () -> Bool) throws -> [Replayed] {
    var progress = ReplayProgress(edits: wanted.count, display: display)
    defer { display.end() }
    return try wanted.map { wanted in
      let (point, cell) = (wanted.point, wanted.point.cell)
      guard let record = sweep.records.first(where: { $0.cell.index == cell.index }), let result = record.result else {
        preconditionFailure("a measurement of cell \(cell.index), which has no result")
      }
      progress.begin(cell)
      do {
        let edit = try engine.edit(
          of: cell.specification, recorded: result, step: point.evaluation.step,
          progress: { progress.show($0) }, isCancelled: isCancelled)
        progress.end()
        return Replayed(
          record: EditRecord(point, reasons: wanted.reasons, in: sweep), cell: cell.specification, edit: edit)
      } catch let difference as ReplayDifference {
        throw ReplayFault(record, difference)
      } catch let failure as CellFailure {
        throw ReplayFault(record, failure)
      }
    }
  }
}

/// An edit could not be had again.
struct ReplayFault: Error, CustomStringConvertible {
  /// One line for people.
  let description: String

  init(_ record: CellRecord, _ difference: ReplayDifference) {
    let place = record.report.map { " computed by pdsweep \($0.engineVersion) on \($0.host)" } ?? ""
    description =
      "\(record.cell.inWords): the recorded edit\(place) came out otherwise: \(difference); train it again with that "
      + "version on a processor of that kind, or choose others with --cell"
  }

  init(_ record: CellRecord, _ failure: CellFailure) {
    description = "\(record.cell.inWords): \(failure.message)"
  }
}

extension Cell {
  /// The cell for people: `cell 12 (lora-rank-1, 16 tokens)`.
  fileprivate var inWords: String {
    let budget = specification.training?.tokenBudget ?? 0
    return "cell \(index) (\(method), \(budget) \(budget == 1 ? "token" : "tokens"))"
  }
}

/// Tells people how far the edits are.
private struct ReplayProgress {
  /// What a whole edit counts for beside its steps.
  private static let partsOfEdit = 100
  /// The terminal is not written to more often.
  private static let interval = Duration.milliseconds(100)

  private let edits: Int
  private let display: ProgressDisplay
  private let start = ContinuousClock.now
  private var ended = 0
  private var name = ""
  private var shown: Duration?

  init(edits: Int, display: ProgressDisplay) {
    self.edits = edits
    self.display = display
  }

  mutating func begin(_ cell: Cell) {
    name = cell.inWords
    show(part: 0, "")
  }

  mutating func show(_ progress: CellProgress) {
    let elapsed = ContinuousClock.now - start
    if let shown, elapsed - shown < Self.interval { return }
    show(part: progress.step * Self.partsOfEdit / max(progress.steps, 1), ", step \(progress.step)/\(progress.steps)")
  }

  mutating func end() {
    ended += 1
    show(part: 0, "")
  }

  private mutating func show(part: Int, _ step: String) {
    let elapsed = ContinuousClock.now - start
    shown = elapsed
    let (done, all) = (ended * Self.partsOfEdit + part, edits * Self.partsOfEdit)
    let left = done > 0 && done < all ? ", \((elapsed * Double(all - done) / Double(done)).estimate) left" : ""
    display.show("trained again: \(ended)/\(edits) edits, \(name)\(step)\(left)", ended: done, of: all, after: elapsed)
  }
}
