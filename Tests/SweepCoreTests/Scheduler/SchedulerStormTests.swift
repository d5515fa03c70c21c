import ContentHash
import Foundation
import SweepCore
import TestSupport
import Testing

/// Histories of random events, checked after every step by ``SweepModel``.
///
/// `PDSWEEP_STORM_HISTORIES=n` runs more of them, `PDSWEEP_STORM_SEED=n` one again.
@Suite struct SchedulerStormTests {
  @Test("every promise holds after every step of random histories")
  func storms() async {
    let environment = ProcessInfo.processInfo.environment
    if let seed = environment["PDSWEEP_STORM_SEED"].flatMap(UInt64.init) {
      _ = run(seed, printing: true)
      return
    }
    let histories = environment["PDSWEEP_STORM_HISTORIES"].flatMap(Int.init) ?? 1200
    let blocks = 8
    let sights = await withTaskGroup(of: [String: Int]?.self) { group in
      for block in 0..<blocks {
        group.addTask {
          var sights: [String: Int] = [:]
          for seed in stride(from: block, to: histories, by: blocks) {
            guard let seen = run(UInt64(seed), printing: false) else { return nil }
            sights.merge(seen, uniquingKeysWith: +)
          }
          return sights
        }
      }
      return await group.reduce(into: [String: Int]?([:])) { sum, block in
        if let block { sum?.merge(block, uniquingKeysWith: +) } else { sum = nil }
      }
    }
    // A history that failed ends its block: what it did not come to see says nothing.
    guard let sights, histories >= 1000 else { return }
    for sight in Storm.sights { #expect(sights[sight] ?? 0 > 0, "never seen: \(sight)") }
  }

  private func run(_ seed: UInt64, printing: Bool) -> [String: Int]? {
    var storm = Storm(seed: seed)
    do {
      try storm.rage()
      try storm.calm()
    } catch {
      Issue.record("\(error); replay with PDSWEEP_STORM_SEED=\(seed)")
      if printing { print(storm.log.joined(separator: "\n")) }
      return nil
    }
    return storm.model.sights
  }
}

/// One history, determined by its seed.
private struct Storm {
  /// What happens in any few hundred histories, or the storms test less than they say.
  static let sights =
    [
      "adoption", "fault", "taken back", "result", "result of an attempt that was given up", "copy", "audit", "proof",
      "set aside", "released", "reopened", "lost: worker-lost", "lost: unstarted", "lost: abandoned",
      "lost: worker-revoked", "audit: agreed", "audit: agreed-on-one-worker", "audit: differed", "audit: called-off",
      "audit: failed", "more patience", "less patience",
    ] + CellFailure.Kind.allCases.map { "failed: \($0.rawValue)" }

  var random: SeededGenerator
  var model: SweepModel
  var scheduler: Scheduler
  var moment: Int64 = 0
  var log: [String] = []
  let workers: [WorkerID]

  init(seed: UInt64) {
    var random = SeededGenerator(seed: seed)
    let cells = Int.random(in: 1...16, using: &random)
    let kinds = Int.random(in: (cells + 1) / 2...cells * 2, using: &random)
    let salt = UInt64.random(in: 0...UInt64.max, using: &random)
    let fingerprints = (0..<cells).map { _ in SHA256Digest(of: "\(salt) \(Int.random(in: 0..<kinds, using: &random))") }
    var cuts = (0..<Int.random(in: 0...2, using: &random)).map { _ in Int.random(in: 0...cells, using: &random) }
    cuts = ([0, cells] + cuts).sorted()
    let sweeps = zip(cuts, cuts.dropFirst()).map { start, end in
      SweepModel.Sweep(
        cells: start..<end, priority: Int.random(in: 0...1, using: &random),
        isPaused: Int.random(in: 0..<8, using: &random) == 0,
        auditFraction: [0, 0, 0.5, 1].randomElement(using: &random) ?? 0)
    }
    var settings = Scheduler.Settings(
      copyAfter: .seconds(3), auditPatience: .seconds(2),
      quarantine: .init(failures: 2, forgivenAfter: 3, firstProbe: .seconds(1), longestProbe: .seconds(6)))
    if Bool.random(using: &random) { settings.quarantine.failures = 3 }
    // With so few in a second, a second or third worker doubles the intervals.
    if Int.random(in: 0..<3, using: &random) == 0 { settings.mostHeartbeats = Int.random(in: 2...4, using: &random) }
    model = SweepModel(fingerprints: fingerprints, sweeps: sweeps, settings: settings)
    scheduler = model.restart()
    workers = (0..<Int.random(in: 1...4, using: &random)).map { WorkerID("worker-\($0)") }
    self.random = random
  }

  mutating func feed(_ event: Scheduler.Event) throws {
    let actions = scheduler.handle(event, at: Instant(nanoseconds: moment))
    log.append("\(moment / 1_000_000) ms: \(event)\n  \(actions.map { "\($0)" }.joined(separator: "\n  "))")
    try model.watch(event, actions, scheduler, at: moment)
  }

  mutating func rage() throws {
    for _ in 0..<Int.random(in: 20...150, using: &random) {
      moment += Int64.random(in: 0...400_000_000, using: &random)
      if chance(1, in: 60) { moment += Int64.random(in: 0...5_000_000_000, using: &random) }
      if chance(1, in: 50) { restart("restarted") }
      try feed(event())
    }
  }

  private mutating func restart(_ note: String) {
    model.now = moment
    scheduler = model.restart()
    log.append("\(moment / 1_000_000) ms: \(note)")
  }

  /// Two good workers come and finish whatever is left: everything must end.
  mutating func calm() throws {
    restart("calm")
    for index in model.sweeps.indices { try feed(.resume(SweepIndex(index))) }
    let good = [WorkerID("good-1"), WorkerID("good-2")]
    for worker in good {
      try feed(.joined(worker, WorkerCapacity(slots: 2), running: []))
      try feed(.ready(worker, credit: 3))
    }
    for _ in 0..<400 where !model.hasFinished {
      moment += 500_000_000
      for worker in good {
        for attempt in scheduler.leases(of: worker) ?? [] {
          guard let cell = scheduler.cell(of: attempt) else { continue }
          try feed(.result(worker, attempt, result(of: cell)))
        }
        let held = (scheduler.leases(of: worker) ?? []).map { HeldAttempt($0, isStarted: chance(1, in: 2)) }
        try feed(.heartbeat(worker, holding: held))
      }
      try feed(.tick)
    }
    guard model.hasFinished, model.outcomes.count == model.fingerprints.count, model.audits.isEmpty else {
      throw Violation(description: "cells are left over: \(model.outcomes.count) of \(model.fingerprints.count) ended")
    }
  }

  private mutating func event() -> Scheduler.Event {
    let worker = workers.randomElement(using: &random) ?? workers[0]
    switch Int.random(in: 0..<200, using: &random) {
    case 0..<16: return .joined(worker, capacity(), running: someAttempts(of: worker))
    case 16..<44: return .ready(worker, credit: Int.random(in: -1...5, using: &random))
    case 44..<84:
      let held = someAttempts(of: worker).map { HeldAttempt($0, isStarted: chance(1, in: 3)) }
      return .heartbeat(worker, holding: held)
    case 84..<124:
      let attempt = anAttempt(of: worker)
      let cell = model.rows[attempt]?.cell ?? CellID(0)
      return .result(worker, attempt, chance(1, in: 12) ? strangeResult() : result(of: cell))
    case 124..<146:
      let kind = CellFailure.Kind.allCases.randomElement(using: &random) ?? .diverged
      // Permanent failures end cells early; most storms should get further.
      let softened = chance(1, in: 2) ? kind : .crashed
      return .failure(worker, anAttempt(of: worker), CellFailure(kind: softened, message: "it broke"))
    case 146..<149: return .left(worker, reason: "stopped")
    case 149..<184: return .tick
    default: return command(worker)
    }
  }

  private mutating func command(_ worker: WorkerID) -> Scheduler.Event {
    let sweep = SweepIndex(Int.random(in: 0..<model.sweeps.count, using: &random))
    switch Int.random(in: 0..<16, using: &random) {
    case 0, 1: return .pause(sweep)
    case 2, 3, 4: return .resume(sweep)
    case 5: return .prioritise(sweep, Int.random(in: -1...1, using: &random))
    case 6: return chance(1, in: 2) ? .cancel(sweep) : .tick
    case 7, 8, 9, 10:
      let cells = model.fingerprints.indices.map { CellID($0) }.filter { _ in chance(1, in: 2) }
      return .retry(cells)
    case 11: return .drainWorker(worker)
    case 12: return .revokeWorker(worker, reason: "its key was revoked")
    case 13: return chance(1, in: 6) ? .drain : .tick
    default: return .tick
    }
  }

  private mutating func capacity() -> WorkerCapacity {
    WorkerCapacity(
      slots: Int.random(in: 1...3, using: &random), memoryMiB: [0, 1000, 4000].randomElement(using: &random) ?? 0)
  }

  private mutating func result(of cell: CellID) -> DeliveredResult {
    let fingerprint = model.fingerprints[cell.index]
    let text = chance(1, in: 15) ? "differs" : "result of \(fingerprint)"
    return DeliveredResult(fingerprint: fingerprint, result: Array(text.utf8), report: [])
  }

  private mutating func strangeResult() -> DeliveredResult {
    let fingerprint = chance(1, in: 2) ? model.fingerprints[0] : SHA256Digest(of: "another sweep")
    return DeliveredResult(fingerprint: fingerprint, result: Array("strange".utf8), report: [])
  }

  /// Mostly what the worker really holds, now and then less or more.
  private mutating func someAttempts(of worker: WorkerID) -> [AttemptID] {
    let own = model.rows.filter { $0.value.worker == worker }.keys.sorted()
    var named = own.filter { model.rows[$0]?.isOpen == true }
    named.removeAll { _ in chance(1, in: 8) }
    if chance(1, in: 6), let old = own.randomElement(using: &random), !named.contains(old) { named.append(old) }
    if chance(1, in: 20) { named.append(anAttempt(of: worker)) }
    return named
  }

  private mutating func anAttempt(of worker: WorkerID) -> AttemptID {
    if chance(1, in: 15) {
      return AttemptID(UInt64.random(in: 1...UInt64(model.rows.count + 3), using: &random))
    }
    let own = model.rows.filter { $0.value.worker == worker }.keys.sorted()
    let open = own.filter { model.rows[$0]?.isOpen == true }
    return (chance(3, in: 4) ? open : own).randomElement(using: &random) ?? own.last ?? AttemptID(1)
  }

  private mutating func chance(_ count: Int, in total: Int) -> Bool {
    Int.random(in: 0..<total, using: &random) < count
  }
}
