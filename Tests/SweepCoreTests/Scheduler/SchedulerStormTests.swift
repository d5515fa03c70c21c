import ContentHash
import Foundation
import SweepCore
import Testing

/// Histories of random events, checked after every step by ``SweepModel``.
///
/// `PDSWEEP_STORM_HISTORIES=n` runs more of them, `PDSWEEP_STORM_SEED=n` one again.
@Suite struct SchedulerStormTests {
  private static let blocks = 8

  @Test("every promise holds after every step of random histories", arguments: 0..<blocks)
  func storms(block: Int) {
    let environment = ProcessInfo.processInfo.environment
    if let seed = environment["PDSWEEP_STORM_SEED"].flatMap(UInt64.init) {
      if block == 0 { run(seed, printing: true) }
      return
    }
    let histories = environment["PDSWEEP_STORM_HISTORIES"].flatMap(Int.init) ?? 2000
    let seeds = stride(from: block, to: histories, by: Self.blocks).map(UInt64.init)
    #expect(!seeds.isEmpty, "no history was run")
    #expect(seeds.allSatisfy { run($0, printing: false) })
  }

  @discardableResult
  private func run(_ seed: UInt64, printing: Bool) -> Bool {
    var storm = Storm(seed: seed)
    do {
      try storm.rage()
      try storm.calm()
    } catch {
      Issue.record("\(error); replay with PDSWEEP_STORM_SEED=\(seed)")
      if printing { print(storm.log.joined(separator: "\n")) }
      return false
    }
    return true
  }
}

/// One history, determined by its seed.
private struct Storm {
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
    let fingerprints = (0..<cells).map { _ in SHA256Digest(of: "\(Int.random(in: 0..<kinds, using: &random))") }
    model = SweepModel(fingerprints: fingerprints, settings: Scheduler.Settings())
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
    for _ in 0..<Int.random(in: 20...120, using: &random) {
      moment += Int64.random(in: 0...400_000_000, using: &random)
      if chance(1, in: 60) { moment += Int64.random(in: 0...5_000_000_000, using: &random) }
      if chance(1, in: 50) {
        model.now = moment
        scheduler = model.restart()
        log.append("\(moment / 1_000_000) ms: restarted")
      }
      try feed(event())
    }
  }

  /// Two good workers come and finish whatever is left: everything must end.
  mutating func calm() throws {
    model.now = moment
    scheduler = model.restart()
    log.append("\(moment / 1_000_000) ms: calm")
    let good = [WorkerID("good-1"), WorkerID("good-2")]
    for worker in good {
      try feed(.joined(worker, WorkerCapacity(), running: []))
      try feed(.ready(worker, credit: 2))
    }
    for _ in 0..<400 where !model.hasFinished {
      moment += 500_000_000
      for worker in good {
        for attempt in scheduler.leases(of: worker) ?? [] {
          guard let cell = scheduler.cell(of: attempt) else { continue }
          try feed(.result(worker, attempt, result(of: cell)))
        }
        try feed(
          .heartbeat(worker, holding: (scheduler.leases(of: worker) ?? []).map { HeldAttempt($0, isStarted: true) }))
      }
      try feed(.tick)
    }
    guard model.hasFinished, model.outcomes.count == model.fingerprints.count else {
      throw Violation(description: "cells are left over: \(model.outcomes.count) of \(model.fingerprints.count) ended")
    }
  }

  private mutating func event() -> Scheduler.Event {
    let worker = workers.randomElement(using: &random) ?? workers[0]
    switch Int.random(in: 0..<100, using: &random) {
    case 0..<10: return .joined(worker, WorkerCapacity(), running: someAttempts(of: worker))
    case 10..<24: return .ready(worker, credit: Int.random(in: -1...3, using: &random))
    case 24..<46: return .heartbeat(worker, holding: someAttempts(of: worker).map { HeldAttempt($0, isStarted: true) })
    case 46..<68:
      let attempt = anAttempt(of: worker)
      let cell = model.rows[attempt]?.cell ?? CellID(0)
      return .result(worker, attempt, chance(1, in: 12) ? strangeResult() : result(of: cell))
    case 68..<76:
      let kind = CellFailure.Kind.allCases.randomElement(using: &random) ?? .diverged
      // Permanent failures end cells early; most storms should get further.
      let softened = chance(1, in: 3) ? kind : .engineFault
      return .failure(worker, anAttempt(of: worker), CellFailure(kind: softened, message: "it broke"))
    case 76..<79: return .left(worker, reason: "stopped")
    case 79..<98: return .tick
    case 98: return chance(1, in: 4) ? .cancel(SweepIndex(0)) : .tick
    default: return chance(1, in: 2) ? .drain : .tick
    }
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
