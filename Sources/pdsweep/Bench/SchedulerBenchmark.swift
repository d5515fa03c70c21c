internal import ContentHash
internal import Foundation
internal import SweepCore

/// Measures the scheduler alone: a sweep of many cells, done by workers that answer at once.
struct SchedulerBenchmark {
  /// What `pdsweep bench scheduler` prints, as one line of JSON.
  struct Report: Encodable {
    var cells: Int
    var workers: Int
    /// Events handled, from the first worker's hello to the end of the sweep.
    var events: Int
    /// Processor time of one event, microseconds.
    var microsecondsPerEvent: Double
    /// Memory of one cell that waits, its fingerprint included, bytes.
    var bytesPerWaitingCell: Double
    /// Processor time in which a scheduler takes up the sweep, seconds.
    var startSeconds: Double

    enum CodingKeys: String, CodingKey {
      case cells
      case workers
      case events
      case microsecondsPerEvent = "us_per_event"
      case bytesPerWaitingCell = "bytes_per_waiting_cell"
      case startSeconds = "start_s"
    }
  }

  let cells: Int
  let workers: Int

  /// Cells that each worker runs at a time, and holds beyond those.
  private static let slots = 4
  private static let prefetch = 2

  func run() throws -> Report {
    let sweep = stored()
    let before = try Self.residentBytes()
    let start = Self.processorSeconds()
    var scheduler = Scheduler(
      sweeps: [sweep], attempts: [], nextAttempt: AttemptID(1), at: Instant(nanoseconds: 0))
    let startSeconds = Self.processorSeconds() - start
    let memory = try Self.residentBytes() - before
    let (events, seconds) = work(&scheduler, sweep.cells.map(\.fingerprint))
    return Report(
      cells: cells, workers: workers, events: events, microsecondsPerEvent: seconds / Double(events) * 1e6,
      bytesPerWaitingCell: Double(memory) / Double(cells), startSeconds: startSeconds)
  }

  private func stored() -> Scheduler.StoredSweep {
    let cells = (0..<cells).map { index in
      Scheduler.StoredCell(
        fingerprint: SHA256Digest(of: "cell \(index)"), state: .pending, resultDigest: nil, group: index % 8)
    }
    return Scheduler.StoredSweep(cells: cells, groups: 8)
  }

  /// Has every cell done, in rounds: each worker says what it holds and delivers what it runs. One cell of a hundred
  /// crashes once. Only the scheduler's time counts.
  private func work(_ scheduler: inout Scheduler, _ fingerprints: [SHA256Digest]) -> (events: Int, seconds: Double) {
    let names = (0..<workers).map { WorkerID("node-\($0)-12345-0123456789ab") }
    var leases: [WorkerID: [(attempt: AttemptID, cell: CellID)]] = [:]
    var events = 0
    var seconds = 0.0
    var hasFinished = false
    var moment: Int64 = 0

    func feed(_ batch: [Scheduler.Event]) {
      let start = Self.processorSeconds()
      let actions = batch.flatMap { scheduler.handle($0, at: Instant(nanoseconds: moment)) }
      seconds += Self.processorSeconds() - start
      events += batch.count
      for action in actions {
        switch action {
        case .lease(let worker, let attempt, let cell): leases[worker, default: []].append((attempt, cell))
        case .revoke(let worker, let attempt): leases[worker]?.removeAll { $0.attempt == attempt }
        case .finish: hasFinished = true
        case .record, .welcome, .acknowledge, .drain, .forget: break
        }
      }
    }

    for worker in names {
      feed([.joined(worker, WorkerCapacity(slots: Self.slots, memoryMiB: 8192), running: [])])
      feed([.ready(worker, credit: Self.slots + Self.prefetch)])
    }
    while !hasFinished {
      moment += 10_000_000
      feed([.tick])
      for worker in names {
        let held = leases[worker] ?? []
        leases[worker] = Array(held.dropFirst(Self.slots))
        let ends = held.prefix(Self.slots).map { attempt, cell -> Scheduler.Event in
          if attempt.number % 100 == 0 {
            return .failure(worker, attempt, CellFailure(kind: .crashed, message: "signal 9"))
          }
          let result = Array("{\"removal\":\(cell.index)}".utf8)
          return .result(
            worker, attempt, DeliveredResult(fingerprint: fingerprints[cell.index], result: result, report: []))
        }
        let names = held.enumerated().map { HeldAttempt($1.attempt, isStarted: $0 < Self.slots) }
        feed([.heartbeat(worker, holding: names)] + ends)
      }
    }
    return (events, seconds)
  }

  private static func processorSeconds() -> Double {
    Double(clock()) / Double(CLOCKS_PER_SEC)
  }

  /// Memory of this process that is in use, bytes.
  private static func residentBytes() throws -> Int {
    let fields = try String(contentsOfFile: "/proc/self/statm", encoding: .utf8).split(separator: " ")
    return (fields.dropFirst().first.flatMap { Int($0) } ?? 0) * Int(sysconf(Int32(_SC_PAGESIZE)))
  }
}
