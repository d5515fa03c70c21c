import Testing

@testable import SweepCore

/// Reasons of failures: where cells are tried again, and which workers are set aside.
@Suite struct WorkerConductTests {
  private let anna = WorkerID("anna")
  private let bert = WorkerID("bert")
  private let carl = WorkerID("carl")

  @Test(
    "failures that may not repeat use up an attempt each",
    arguments: [CellFailure.Kind.crashed, .outOfMemory, .engineFault, .workerLost])
  func counted(kind: CellFailure.Kind) {
    var trial = Trial(cells: 1)
    trial.admit(anna)
    _ = trial.fail(anna, 1, kind, at: 1)
    _ = trial.fail(anna, 2, kind, at: 2)
    #expect(trial.fail(anna, 3, kind, at: 3).contains(.finish))
    #expect(trial.scheduler.state(of: CellID(0)) == .failed)
  }

  @Test("failures that say nothing about the cell use up none", arguments: [CellFailure.Kind.preempted, .workerUnfit])
  func uncounted(kind: CellFailure.Kind) {
    var trial = Trial(cells: 1)
    for number in 1...9 {
      let worker = WorkerID("worker \(number)")
      #expect(trial.admit(worker, at: number).count == 1)
      #expect(trial.fail(worker, UInt64(number), kind, at: number).leases.isEmpty)
    }
    #expect(trial.scheduler.state(of: CellID(0)) == .pending)
  }

  @Test("a cell that ran out of memory waits for a worker with more of it for each slot")
  func memory() {
    var trial = Trial(cells: 1)
    trial.admit(bert, slots: 4, memoryMiB: 16_000)
    trial.admit(anna, memoryMiB: 8000)
    trial.admit(carl, slots: 2, memoryMiB: 8000)
    #expect(trial.fail(bert, 1, .outOfMemory, at: 1).leases == [GivenLease(anna, 2, 0)], "carl has no more than bert")
    // Where nobody has more, another worker is the next best.
    #expect(trial.fail(anna, 2, .outOfMemory, at: 2).leases == [GivenLease(carl, 3, 0)])
  }

  @Test("only what a worker ran counts as tried when it is lost, as its heartbeats and slots tell")
  func blame() {
    var trial = Trial(cells: 5)
    trial.admit(anna, slots: 2, credit: 5)
    let held = (1...5).map { HeldAttempt(AttemptID(UInt64($0)), isStarted: $0 == 4) }
    _ = trial.at(1, .heartbeat(anna, holding: held))
    let actions = stride(from: 500, through: 3000, by: 500).flatMap { trial.at($0, .tick) }
    #expect(actions.losses == [.workerLost, .workerLost, .unstarted, .workerLost, .unstarted])
  }

  @Test("a worker on which cells fail that others complete is set aside, named, and proves itself later")
  func outdone() {
    var trial = Trial(cells: 8)
    trial.admit(anna)
    trial.admit(bert)
    // Each cell that fails on anna is completed by bert; anna completes one between them.
    var actions: [Scheduler.Action] = []
    for _ in 0..<8 where trial.scheduler.quarantine(of: anna) == nil {
      for attempt in trial.scheduler.leases(of: anna) ?? [] {
        let failures = actions.count { if case .record(.ended(_, .failed)) = $0 { true } else { false } }
        if failures % 2 == 0 || failures > 4 {
          actions += trial.fail(anna, attempt.number, at: 1)
        } else {
          actions += trial.fail(anna, attempt.number, .diverged, at: 1)
        }
      }
      for attempt in trial.scheduler.leases(of: bert) ?? [] {
        guard let cell = trial.scheduler.cell(of: attempt) else { continue }
        actions += trial.deliver(bert, attempt.number, cell: cell.index, at: 1)
      }
    }
    let reason = "3 cells failed on it that others completed"
    #expect(trial.scheduler.quarantine(of: anna) == reason)
    #expect(actions.contains(.record(.worker(anna, .quarantined(reason)))))
  }

  @Test("a worker that fails one cell after the other while others complete theirs is set aside")
  func streak() {
    var trial = Trial(cells: 20)
    trial.admit(anna, slots: 2, credit: 3)
    trial.admit(bert)
    _ = trial.fail(anna, 1, .crashed, at: 1)
    _ = trial.fail(anna, 2, .crashed, at: 2)
    _ = trial.deliver(bert, 4, cell: 3, at: 3)
    let actions = trial.fail(anna, 3, .crashed, at: 4)
    #expect(trial.scheduler.quarantine(of: anna)?.contains("3 cells failed on it in a row") == true)
    #expect(actions.contains { if case .record(.worker(anna, .quarantined)) = $0 { true } else { false } })
    #expect(trial.scheduler.leases(of: anna)?.count == 2, "what has not been started is taken back")
  }

  @Test("where every cell fails on every worker, nobody is set aside and the cells fail")
  func poisonedSweep() {
    var trial = Trial(cells: 5)
    trial.admit(anna)
    trial.admit(bert)
    var finished = false
    for moment in 1...40 where !finished {
      for worker in [anna, bert] {
        for attempt in trial.scheduler.leases(of: worker) ?? [] {
          let actions = trial.fail(worker, attempt.number, .crashed, at: moment)
          if actions.contains(.finish) { finished = true }
        }
      }
    }
    #expect(finished)
    #expect(trial.scheduler.quarantine(of: anna) == nil && trial.scheduler.quarantine(of: bert) == nil)
    #expect(trial.scheduler.tallies(of: SweepIndex(0))[0][.failed] == 5)
  }

  @Test("one poisonous cell costs its own attempts only, and sets nobody aside")
  func poisonousCell() {
    var trial = Trial(cells: 12)
    trial.admit(anna)
    trial.admit(bert)
    var failures = 0
    for moment in 1...60 {
      for worker in [anna, bert] {
        for attempt in trial.scheduler.leases(of: worker) ?? [] {
          guard let cell = trial.scheduler.cell(of: attempt) else { continue }
          if cell.index == 5 {
            failures += 1
            _ = trial.fail(worker, attempt.number, .crashed, at: moment)
          } else {
            _ = trial.deliver(worker, attempt.number, cell: cell.index, at: moment)
          }
        }
      }
    }
    #expect(failures == 3)
    #expect(trial.scheduler.tallies(of: SweepIndex(0))[0][.completed] == 11)
    #expect(trial.scheduler.quarantine(of: anna) == nil && trial.scheduler.quarantine(of: bert) == nil)
  }

  @Test("a worker that cannot run cells is given one at growing intervals until it can")
  func unfit() {
    var trial = Trial(cells: 4)
    trial.admit(anna)
    let actions = trial.fail(anna, 1, .workerUnfit, at: 0)
    #expect(actions.contains(.record(.worker(anna, .quarantined("it cannot run cells: it broke")))))
    var proofs: [Int] = []
    for moment in stride(from: 500, through: 100_000, by: 500) {
      _ = trial.at(moment, .heartbeat(anna, holding: []))
      for lease in trial.at(moment, .tick).leases {
        proofs.append(moment)
        _ = trial.fail(anna, lease.attempt, .workerUnfit, at: moment)
      }
    }
    #expect(proofs == [5000, 15_000, 35_000, 75_000])
    let proof = trial.work([anna], from: 100_500, to: 160_000).leases
    #expect(proof.count == 1)
    let end = trial.deliver(anna, proof[0].attempt, cell: proof[0].cell, at: 160_100)
    #expect(end.contains(.record(.worker(anna, .released))))
    #expect(end.leases.count == 1)
    #expect(trial.scheduler.quarantine(of: anna) == nil)
  }

  @Test("a worker that is set aside keeps no cell from being tried again where it failed")
  func asideIsNotWaitedFor() {
    var trial = Trial(cells: 1)
    trial.admit(bert)
    _ = trial.fail(bert, 1, .workerUnfit, at: 1)
    #expect(trial.admit(anna, at: 1) == [GivenLease(anna, 2, 0)])
    #expect(trial.fail(anna, 2, .crashed, at: 2).leases == [GivenLease(anna, 3, 0)])
  }

  @Test("cells completed in a row clear a worker of what was held against it")
  func forgiveness() {
    var trial = Trial(cells: 120)
    trial.admit(anna)
    trial.admit(bert)
    var done = 0
    for moment in 1...300 {
      for worker in [anna, bert] {
        for attempt in trial.scheduler.leases(of: worker) ?? [] {
          guard let cell = trial.scheduler.cell(of: attempt) else { continue }
          done += worker == anna ? 1 : 0
          if worker == anna, done % 12 == 0 {
            _ = trial.fail(worker, attempt.number, .crashed, at: moment)
          } else {
            _ = trial.deliver(worker, attempt.number, cell: cell.index, at: moment)
          }
          #expect(trial.scheduler.quarantine(of: anna) == nil)
        }
      }
    }
    #expect(trial.scheduler.tallies(of: SweepIndex(0))[0][.completed] == 120)
    #expect(done >= 36, "anna has failed three cells that bert completed")
  }
}
