internal import ArgumentParser
internal import ContentHash
internal import Foundation
internal import SweepCore
internal import SweepStore

/// `pdsweep audit`.
struct AuditCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "audit",
    abstract: "Prove from a store that every cell has exactly one accepted result.",
    discussion: """
      Reads nothing but the store, whether or not its sweeps still run. Looks through the whole file for damage, digests \
      every specification and every result again, and computes each sweep's digest from its cells. Lists the cells that \
      are missing, failed or cancelled, results that differ from the first of their cell, attempts without end, and \
      whatever contradicts itself.

      EXAMPLES
        pdsweep audit demo.sqlite
        pdsweep audit demo.sqlite --sweep demo --json

      EXIT STATUS
        0  proven for every sweep
        1  not proven
        2  bad input
      """
  )

  @OptionGroup var store: StoreOptions

  @Flag(help: "Print one JSON object instead of text.")
  var json = false

  func run() throws {
    let (reader, sweeps) = try store.openAll()
    let document = AuditDocument(reader.path, try reader.audit(sweeps))
    try json ? Terminal.write(json: document) : Terminal.write(document.text)
    if !document.proven { throw ExitCode(1) }
  }
}

/// What `audit --json` prints.
private struct AuditDocument: Encodable {
  struct Failure: Encodable {
    let cell: Int
    let kind: String
    let message: String
  }

  struct Attempt: Encodable {
    let cell: Int
    let attempt: UInt64
    let worker: String

    init(_ attempt: StoreAudit.Attempt) {
      cell = attempt.cell
      self.attempt = attempt.attempt.number
      worker = attempt.worker.name
    }
  }

  struct Contradiction: Encodable {
    let cell: Int?
    let detail: String
  }

  struct Sweep: Encodable {
    let sweep: String
    let digest: SHA256Digest
    let proven: Bool
    let cells: Int
    let accepted: Int
    let cached: Int
    let missing: [Int]
    let failed: [Failure]
    let cancelled: [Int]
    let differing: [Attempt]
    let duplicates: Int
    let openAttempts: [Attempt]
    let audits: [String: Int]
    let contradictions: [Contradiction]

    enum CodingKeys: String, CodingKey {
      case sweep, digest, proven, cells, accepted, cached, missing, failed, cancelled, differing, duplicates, audits
      case contradictions
      case openAttempts = "open_attempts"
    }
  }

  let store: String
  let proven: Bool
  let sweeps: [Sweep]

  init(_ store: String, _ audits: [StoreAudit]) {
    self.store = store
    proven = audits.allSatisfy(\.isProven)
    sweeps = audits.map { audit in
      Sweep(
        sweep: audit.sweep, digest: audit.digest, proven: audit.isProven, cells: audit.cells, accepted: audit.accepted,
        cached: audit.cached, missing: audit.missing,
        failed: audit.failed.map {
          Failure(cell: $0.cell, kind: $0.failure.kind.rawValue, message: $0.failure.message)
        },
        cancelled: audit.cancelled, differing: audit.differing.map(Attempt.init), duplicates: audit.duplicates,
        openAttempts: audit.open.map(Attempt.init),
        audits: Dictionary(uniqueKeysWithValues: audit.audits.map { ($0.rawValue, $1) }),
        contradictions: audit.contradictions.map { Contradiction(cell: $0.cell, detail: $0.detail) })
    }
  }

  /// The same for a terminal.
  var text: String {
    sweeps.map(Self.text).joined(separator: "\n")
  }

  private static func text(_ sweep: Sweep) -> String {
    var lines = [
      sweep.proven
        ? "\(sweep.sweep): proven: each of \(sweep.cells) cells has exactly one accepted result"
        : "\(sweep.sweep): not proven: \(sweep.accepted) of \(sweep.cells) cells have exactly one accepted result"
    ]
    func list(_ what: String, _ cells: [Int]) {
      guard !cells.isEmpty else { return }
      let shown = cells.prefix(20).map(String.init).joined(separator: ",")
      lines.append("  \(what): \(cells.count): \(shown)" + (cells.count > 20 ? ",..." : ""))
    }
    if sweep.cached > 0 { lines.append("  cached from other sweeps: \(sweep.cached)") }
    list("missing", sweep.missing)
    list("failed", sweep.failed.map(\.cell))
    list("cancelled", sweep.cancelled)
    for attempt in sweep.differing.prefix(20) {
      lines.append("  differing: cell \(attempt.cell): attempt \(attempt.attempt) on \(attempt.worker)")
    }
    if sweep.duplicates > 0 { lines.append("  repeated with an equal result: \(sweep.duplicates)") }
    for (outcome, count) in sweep.audits.sorted(by: { $0.key < $1.key }) {
      lines.append("  audits that ended as \(outcome): \(count)")
    }
    list("attempts without end, at cells", sweep.openAttempts.map(\.cell))
    for contradiction in sweep.contradictions.prefix(20) {
      lines.append("  \(contradiction.cell.map { "cell \($0)" } ?? "sweep"): \(contradiction.detail)")
    }
    if sweep.contradictions.count > 20 { lines.append("  and \(sweep.contradictions.count - 20) more of these") }
    return lines.map { $0.printable + "\n" }.joined()
  }
}
