import ContentHash
import Testing

@testable import SweepCore

@Suite struct SchedulerTests {
  private let anna = WorkerID("anna")
  private let bert = WorkerID("bert")

  @Test("cells are dealt in the order of their indices")
  func dealingOrder() {
    var trial = Trial(cells: 4)
    _ = trial.at(0, .joined(anna, WorkerCapacity(), running: []))
    #expect(trial.at(0, .ready(anna, credit: 2)).leases == [GivenLease(anna, 1, 0), GivenLease(anna, 2, 1)])
    _ = trial.at(0, .joined(bert, WorkerCapacity(), running: []))
    #expect(trial.at(0, .ready(bert, credit: 2)).leases == [GivenLease(bert, 3, 2), GivenLease(bert, 4, 3)])
  }

  @Test("a worker never holds more leases than it wants")
  func creditIsATotal() {
    var trial = Trial(cells: 5)
    _ = trial.at(0, .joined(anna, WorkerCapacity(), running: []))
    #expect(trial.at(0, .ready(anna, credit: 2)).leases.count == 2)
    #expect(trial.at(0, .ready(anna, credit: 2)).leases.isEmpty)
    #expect(trial.at(0, .ready(anna, credit: 3)).leases == [GivenLease(anna, 3, 2)])
    #expect(trial.at(0, .ready(anna, credit: 0)).leases.isEmpty)
    #expect(trial.deliver(anna, 1, cell: 0, at: 1).leases.isEmpty)
    #expect(trial.at(0, .ready(anna, credit: -7)).isEmpty)
  }

  @Test("a worker that changes its mind without end fills no memory")
  func endlessChanges() {
    var trial = Trial(cells: 1)
    _ = trial.at(0, .joined(anna, WorkerCapacity(), running: []))
    for round in 0..<10_000 { _ = trial.at(0, .ready(anna, credit: 2 + round % 2)) }
    #expect(trial.scheduler.lineLengths.hungry < 100)
    for _ in 0..<10_000 {
      _ = trial.at(0, .left(anna, reason: "bye"))
      _ = trial.at(0, .joined(anna, WorkerCapacity(), running: []))
    }
    #expect(trial.scheduler.lineLengths.deadlines < 100)
  }

  @Test("one worker too many for the usual pace doubles it; on the way back it holds until half are gone")
  func heartbeatPace() {
    var pace = HeartbeatPace(Scheduler.Settings(mostHeartbeats: 200))
    var doublings: [Int] = []
    for workers in [1, 100, 101, 200, 201, 101, 100, 99, 51, 50, 6400, 6401, 100_000, 0] {
      pace.note(workers: workers)
      doublings.append(pace.doublings)
    }
    #expect(doublings == [0, 0, 1, 1, 2, 2, 1, 1, 1, 0, 6, 6, 6, 0])
  }

  @Test("a worker that gives signs of life more rarely is lost after a longer silence, from when it was told so")
  func longerSilence() {
    var trial = Trial(cells: 3, settings: Scheduler.Settings(mostHeartbeats: 4))
    let names = [anna, bert, WorkerID("carl")]
    for name in names { trial.admit(name) }
    // The third was one too many; the first hears of it in answer to its heartbeat, the second says nothing.
    #expect(trial.scheduler.patience(with: names[2]).lostAfter == .seconds(4))
    #expect(trial.scheduler.patience(with: anna).lostAfter == .seconds(2))
    let told = trial.at(500, .heartbeat(anna, holding: [HeldAttempt(AttemptID(1), isStarted: true)]))
    #expect(told == [.welcome(anna)])
    #expect(trial.at(1000, .heartbeat(anna, holding: [HeldAttempt(AttemptID(1), isStarted: true)])) == [])
    trial.pass(from: 1500, to: 1500)
    #expect(trial.at(2000, .tick).contains(.forget(bert)))
    trial.pass(from: 2500, to: 3500)
    #expect(trial.at(3999, .tick).isEmpty)
    #expect(trial.at(4000, .tick).contains(.forget(names[2])))
    trial.pass(from: 4500, to: 4999)
    #expect(trial.at(4999, .tick).isEmpty)
    #expect(trial.at(5000, .tick).contains(.forget(anna)))
  }

  @Test("a worker that is told to give signs of life more often is lost after the shorter silence")
  func shorterSilence() {
    var trial = Trial(cells: 1, settings: Scheduler.Settings(mostHeartbeats: 4))
    let names = [WorkerID("carl"), bert, anna]
    for name in names { trial.admit(name) }
    _ = trial.work(names, from: 500, to: 2000)
    for name in names.dropLast() { _ = trial.at(2100, .left(name, reason: "bye")) }
    #expect(trial.at(2500, .heartbeat(anna, holding: [])).contains(.welcome(anna)))
    trial.pass(from: 3000, to: 4000)
    #expect(trial.at(4499, .tick).isEmpty)
    #expect(trial.at(4500, .tick).contains(.forget(anna)))
  }

  @Test("a lease is recorded before it is sent, and a result before it is acknowledged")
  func recordFirst() {
    var trial = Trial(cells: 2)
    _ = trial.at(0, .joined(anna, WorkerCapacity(), running: []))
    #expect(
      trial.at(0, .ready(anna, credit: 1)) == [
        .record(.leased(AttemptID(1), CellID(0), anna)), .lease(anna, AttemptID(1), CellID(0)),
      ])
    #expect(
      trial.deliver(anna, 1, cell: 0, at: 1) == [
        .record(.result(AttemptID(1), trial.result(0))), .record(.outcome(CellID(0), .completed)),
        .acknowledge(anna, AttemptID(1)),
        .record(.leased(AttemptID(2), CellID(1), anna)), .lease(anna, AttemptID(2), CellID(1)),
      ])
  }

  @Test("a silent worker loses its leases after the stated time and not before; its cells run elsewhere")
  func silence() {
    var trial = Trial(cells: 1)
    _ = trial.at(0, .joined(anna, WorkerCapacity(), running: []))
    _ = trial.at(0, .ready(anna, credit: 1))
    _ = trial.at(0, .joined(bert, WorkerCapacity(), running: []))
    _ = trial.at(0, .ready(bert, credit: 1))
    for moment in stride(from: 500, to: 2000, by: 500) {
      _ = trial.at(moment, .heartbeat(bert, holding: []))
    }
    #expect(trial.at(1999, .tick).isEmpty)
    let actions = trial.at(2000, .tick)
    #expect(actions.contains(.forget(anna)))
    #expect(actions.leases == [GivenLease(bert, 2, 0)])
    #expect(trial.scheduler.leases(of: anna) == nil)
  }

  @Test("only the cell that a lost worker was running uses up an attempt, not those that waited behind it")
  func lossOfAWaitingLease() {
    var trial = Trial(cells: 2)
    var losses: [[LeaseLoss]] = []
    for round in 0..<3 {
      let worker = WorkerID("worker \(round)")
      let start = round * 10_000
      _ = trial.at(start, .joined(worker, WorkerCapacity(), running: []))
      #expect(trial.at(start, .ready(worker, credit: 2)).leases.map(\.cell) == [0, 1])
      let actions = stride(from: start, through: start + 5_000, by: 500).flatMap { trial.at($0, .tick) }
      losses.append(
        actions.compactMap { action in
          if case .record(.ended(_, .lost(let loss, _))) = action { loss } else { nil }
        })
    }
    #expect(losses == Array(repeating: [.workerLost, .unstarted], count: 3))
    _ = trial.at(40_000, .joined(anna, WorkerCapacity(), running: []))
    #expect(trial.at(40_000, .ready(anna, credit: 2)).leases.map(\.cell) == [1], "cell 0 has failed, cell 1 has not")
  }

  @Test("any word counts as a sign of life")
  func signsOfLife() {
    var trial = Trial(cells: 3)
    _ = trial.at(0, .joined(anna, WorkerCapacity(), running: []))
    _ = trial.at(900, .ready(anna, credit: 2))
    _ = trial.at(
      1800,
      .heartbeat(
        anna, holding: [HeldAttempt(AttemptID(1), isStarted: true), HeldAttempt(AttemptID(2), isStarted: true)]))
    _ = trial.deliver(anna, 1, cell: 0, at: 2700)
    _ = trial.at(3600, .failure(anna, AttemptID(2), broken))
    _ = trial.at(4500, .tick)
    #expect(trial.at(5500, .tick).isEmpty)
    #expect(trial.at(5600, .tick).contains(.forget(anna)))
  }

  @Test("a coordinator that was stopped does not hold its own deafness against the workers")
  func deafness() {
    var trial = Trial(cells: 1)
    _ = trial.at(0, .joined(anna, WorkerCapacity(), running: []))
    _ = trial.at(0, .ready(anna, credit: 1))
    _ = trial.at(500, .heartbeat(anna, holding: [HeldAttempt(AttemptID(1), isStarted: true)]))
    #expect(trial.at(60_500, .tick).isEmpty)
    #expect(trial.scheduler.nextDeadline == Instant(nanoseconds: 61_000_000_000))
    for moment in stride(from: 61_000, to: 62_500, by: 500) { #expect(trial.at(moment, .tick).isEmpty) }
    #expect(trial.at(62_500, .tick).contains(.forget(anna)))
  }

  @Test("a worker that was taken for lost and comes back keeps its cell, and the attempt is not held against it")
  func adoption() {
    var trial = Trial(cells: 1)
    _ = trial.at(0, .joined(anna, WorkerCapacity(), running: []))
    _ = trial.at(0, .ready(anna, credit: 1))
    trial.pass(from: 0, to: 3000)
    #expect(trial.scheduler.state(of: CellID(0)) == .pending)
    let actions = trial.at(3100, .joined(anna, WorkerCapacity(), running: [AttemptID(1)]))
    #expect(actions.contains(.record(.adopted(AttemptID(1)))))
    #expect(trial.scheduler.state(of: CellID(0)) == .running([AttemptID(1)]))
    // Twice more: a flapping connection never uses up the attempts.
    for round in 1...3 {
      trial.pass(from: 3100 + round * 10_000, to: 3100 + round * 10_000 + 4000)
      _ = trial.at(3100 + round * 10_000 + 4000, .joined(anna, WorkerCapacity(), running: [AttemptID(1)]))
    }
    #expect(trial.scheduler.state(of: CellID(0)) == .running([AttemptID(1)]))
    #expect(trial.deliver(anna, 1, cell: 0, at: 40_000).contains(.acknowledge(anna, AttemptID(1))))
  }

  @Test("when two attempts run one cell, the first result counts and the other attempt is revoked")
  func firstResultCounts() {
    var trial = Trial(cells: 1)
    trial.loseToBert(anna, bert)
    _ = trial.at(2600, .joined(anna, WorkerCapacity(), running: [AttemptID(1)]))
    #expect(trial.scheduler.state(of: CellID(0)) == .running([AttemptID(2), AttemptID(1)]))
    let actions = trial.deliver(anna, 1, cell: 0, at: 2700)
    #expect(actions.contains(.record(.outcome(CellID(0), .completed))))
    #expect(actions.contains(.record(.ended(AttemptID(2), .revoked))))
    #expect(actions.contains(.revoke(bert, AttemptID(2))))
  }

  @Test("a late result of an attempt taken for lost completes a cell that has not ended")
  func lateResult() {
    var trial = Trial(cells: 1)
    trial.loseToBert(anna, bert)
    let actions = trial.deliver(anna, 1, cell: 0, at: 2700)
    #expect(actions.contains(.record(.result(AttemptID(1), trial.result(0)))))
    #expect(actions.contains(.revoke(bert, AttemptID(2))))
    #expect(actions.contains(.finish))
  }

  @Test("an equal duplicate is acknowledged and changes nothing; a differing one is recorded as a fault")
  func duplicates() {
    var trial = Trial(cells: 2)
    trial.loseToBert(anna, bert)
    _ = trial.deliver(bert, 2, cell: 0, at: 2600)
    #expect(
      trial.deliver(bert, 2, cell: 0, at: 2700) == [.acknowledge(bert, AttemptID(2))],
      "the same attempt again, as after a lost acknowledgement")
    #expect(
      trial.deliver(anna, 1, cell: 0, at: 2800) == [
        .record(.ended(AttemptID(1), .duplicate)), .acknowledge(anna, AttemptID(1)),
      ])
    let other = trial.result(0, "other numbers")
    #expect(
      trial.at(2900, .result(anna, AttemptID(1), other)) == [
        .record(.fault(AttemptID(1), other)), .acknowledge(anna, AttemptID(1)),
      ])
    #expect(trial.scheduler.state(of: CellID(0)) == .completed)
  }

  @Test("failures that would repeat fail the cell at once", arguments: [CellFailure.Kind.diverged, .refusedInput])
  func permanentFailure(kind: CellFailure.Kind) {
    var trial = Trial(cells: 1)
    _ = trial.at(0, .joined(anna, WorkerCapacity(), running: []))
    _ = trial.at(0, .ready(anna, credit: 1))
    let failure = CellFailure(kind: kind, message: "no use")
    #expect(
      trial.at(1, .failure(anna, AttemptID(1), failure)) == [
        .record(.ended(AttemptID(1), .failed(failure))), .record(.outcome(CellID(0), .failed(failure))),
        .acknowledge(anna, AttemptID(1)), .drain(anna), .finish,
      ])
  }

  @Test("failures that might not repeat are tried three times, on different workers while there are any")
  func transientFailure() {
    var trial = Trial(cells: 3)
    _ = trial.at(0, .joined(anna, WorkerCapacity(), running: []))
    #expect(trial.at(0, .ready(anna, credit: 1)).leases == [GivenLease(anna, 1, 0)])
    _ = trial.at(0, .joined(bert, WorkerCapacity(), running: []))
    #expect(trial.at(0, .ready(bert, credit: 1)).leases == [GivenLease(bert, 2, 1)])
    // anna gets a fresh cell rather than the one she failed; bert gets that one.
    #expect(trial.at(1, .failure(anna, AttemptID(1), broken)).leases == [GivenLease(anna, 3, 2)])
    #expect(trial.deliver(bert, 2, cell: 1, at: 1).leases == [GivenLease(bert, 4, 0)])
    // Both have failed now, so either may have the last try.
    #expect(trial.at(2, .failure(bert, AttemptID(4), broken)).leases == [GivenLease(bert, 5, 0)])
    let actions = trial.at(3, .failure(bert, AttemptID(5), broken))
    var last = broken
    last.message += " (3 attempts failed)"
    #expect(actions.contains(.record(.outcome(CellID(0), .failed(last)))))
  }

  @Test("the only worker may try again what failed on it")
  func onlyWorker() {
    var trial = Trial(cells: 1)
    _ = trial.at(0, .joined(anna, WorkerCapacity(), running: []))
    _ = trial.at(0, .ready(anna, credit: 1))
    #expect(trial.at(1, .failure(anna, AttemptID(1), broken)).leases == [GivenLease(anna, 2, 0)])
  }

  @Test("a cell that waits for another worker goes to the one it failed on when that other leaves")
  func lastResort() {
    var trial = Trial(cells: 2)
    _ = trial.at(0, .joined(anna, WorkerCapacity(), running: []))
    _ = trial.at(0, .ready(anna, credit: 1))
    _ = trial.at(0, .joined(bert, WorkerCapacity(), running: []))
    _ = trial.at(0, .ready(bert, credit: 1))
    #expect(trial.at(1, .failure(anna, AttemptID(1), broken)).leases.isEmpty)
    let actions = trial.at(2, .left(bert, reason: "going home"))
    #expect(actions.leases == [GivenLease(anna, 3, 0)])
  }

  @Test("handing a cell back is no attempt, and ends the worker's wish for more")
  func preemption() {
    var trial = Trial(cells: 1)
    let stopped = CellFailure(kind: .preempted, message: "told to stop")
    for round in 1...5 {
      let worker = WorkerID("worker-\(round)")
      _ = trial.at(round, .joined(worker, WorkerCapacity(), running: []))
      #expect(trial.at(round, .ready(worker, credit: 1)).leases == [GivenLease(worker, UInt64(round), 0)])
      #expect(trial.at(round, .failure(worker, AttemptID(UInt64(round)), stopped)).leases.isEmpty)
    }
    #expect(trial.scheduler.state(of: CellID(0)) == .pending)
  }

  @Test("a lease that never arrived is dealt again: at a new hello at once, unnamed in heartbeats after a while")
  func undelivered() {
    var trial = Trial(cells: 1)
    _ = trial.at(0, .joined(anna, WorkerCapacity(), running: []))
    _ = trial.at(0, .ready(anna, credit: 1))
    let again = trial.at(100, .joined(anna, WorkerCapacity(), running: []))
    #expect(again.leases == [GivenLease(anna, 2, 0)])
    for moment in stride(from: 500, through: 2100, by: 400) {
      #expect(trial.at(moment, .heartbeat(anna, holding: [])).isEmpty)
    }
    #expect(trial.at(2500, .heartbeat(anna, holding: [])).leases == [GivenLease(anna, 3, 0)])
    // None of it counted: three real failures are still allowed.
    _ = trial.at(2600, .failure(anna, AttemptID(3), broken))
    _ = trial.at(2700, .failure(anna, AttemptID(4), broken))
    #expect(trial.scheduler.state(of: CellID(0)) == .running([AttemptID(5)]))
  }

  @Test("words about unknown attempts, and about those of others, are answered with a revocation only")
  func strangers() {
    var trial = Trial(cells: 1)
    _ = trial.at(0, .joined(anna, WorkerCapacity(), running: []))
    _ = trial.at(0, .ready(anna, credit: 1))
    _ = trial.at(0, .joined(bert, WorkerCapacity(), running: []))
    #expect(trial.deliver(bert, 1, cell: 0, at: 1) == [.revoke(bert, AttemptID(1))])
    #expect(trial.at(1, .failure(bert, AttemptID(99), broken)) == [.revoke(bert, AttemptID(99))])
    #expect(
      trial.at(1, .heartbeat(bert, holding: [HeldAttempt(AttemptID(1), isStarted: true)])) == [
        .revoke(bert, AttemptID(1))
      ])
    #expect(trial.scheduler.state(of: CellID(0)) == .running([AttemptID(1)]))
  }

  @Test("a result of another cell is a fault of the engine, not a result")
  func wrongFingerprint() {
    var trial = Trial(cells: 2)
    _ = trial.at(0, .joined(anna, WorkerCapacity(), running: []))
    _ = trial.at(0, .ready(anna, credit: 1))
    let actions = trial.deliver(anna, 1, cell: 1, at: 1)
    #expect(actions.contains(.acknowledge(anna, AttemptID(1))))
    #expect(!actions.contains { if case .record(.result) = $0 { true } else { false } })
    #expect(actions.leases == [GivenLease(anna, 2, 0)])
  }

  @Test("equal cells run once and share their end")
  func twins() {
    let same = SHA256Digest(of: "same")
    var trial = Trial(fingerprints: [same, SHA256Digest(of: "other"), same])
    _ = trial.at(0, .joined(anna, WorkerCapacity(), running: []))
    #expect(trial.at(0, .ready(anna, credit: 3)).leases == [GivenLease(anna, 1, 0), GivenLease(anna, 2, 1)])
    let actions = trial.deliver(anna, 1, cell: 0, at: 1)
    #expect(actions.contains(.record(.outcome(CellID(0), .completed))))
    #expect(actions.contains(.record(.outcome(CellID(2), .completed))))
  }

  @Test("a restart keeps open leases for workers that come back, without counting those that do not")
  func restart() {
    var trial = Trial(
      cells: 2,
      attempts: [
        .init(attempt: AttemptID(4), cell: CellID(0), worker: anna, standing: .open),
        .init(attempt: AttemptID(5), cell: CellID(1), worker: bert, standing: .open),
      ], next: 6)
    #expect(trial.scheduler.state(of: CellID(0)) == .running([AttemptID(4)]))
    trial.pass(from: 500, to: 2500)
    _ = trial.at(2500, .joined(anna, WorkerCapacity(), running: [AttemptID(4)]))
    #expect(trial.at(2500, .ready(anna, credit: 2)).leases.isEmpty)
    for moment in stride(from: 3000, to: 6000, by: 500) {
      #expect(trial.at(moment, .heartbeat(anna, holding: [HeldAttempt(AttemptID(4), isStarted: true)])).isEmpty)
      #expect(trial.at(moment, .tick).isEmpty)
    }
    let actions = trial.at(6000, .tick)
    #expect(actions.leases == [GivenLease(anna, 6, 1)])
    #expect(!actions.contains(.forget(bert)))
    #expect(
      actions.first
        == .record(
          .ended(AttemptID(5), .lost(.abandoned, message: "worker bert did not come back after a restart"))))
  }

  @Test("a lease that was recorded, but never sent before the coordinator died, is no attempt")
  func leaseNeverSent() {
    var trial = Trial(
      cells: 1, attempts: [.init(attempt: AttemptID(1), cell: CellID(0), worker: anna, standing: .open)], next: 2)
    let actions = trial.at(100, .joined(anna, WorkerCapacity(), running: []))
    #expect(
      actions.contains { action in
        if case .record(.ended(AttemptID(1), .lost(.undelivered, _))) = action { true } else { false }
      })
  }

  @Test("attempts used up before a restart still count after it")
  func restartRemembersFailures() {
    let failed = AttemptEnd.failed(broken)
    var trial = Trial(
      cells: 2,
      attempts: [
        .init(attempt: AttemptID(1), cell: CellID(1), worker: anna, standing: .ended(failed)),
        .init(attempt: AttemptID(2), cell: CellID(1), worker: anna, standing: .ended(failed)),
      ], next: 3)
    _ = trial.at(0, .joined(anna, WorkerCapacity(), running: []))
    #expect(trial.at(0, .ready(anna, credit: 1)).leases == [GivenLease(anna, 3, 1)], "tried before comes first")
    _ = trial.at(1, .failure(anna, AttemptID(3), broken))
    #expect(trial.scheduler.state(of: CellID(1)) == .failed)
  }

  @Test("a result for a cell that had failed is kept without changing the cell's outcome")
  func resultAfterFailure() {
    var trial = Trial(cells: 2)
    trial.loseToBert(anna, bert)
    _ = trial.at(2600, .failure(bert, AttemptID(2), CellFailure(kind: .diverged, message: "no use")))
    #expect(
      trial.deliver(anna, 1, cell: 0, at: 2700) == [
        .record(.result(AttemptID(1), trial.result(0))), .acknowledge(anna, AttemptID(1)),
      ])
    #expect(trial.scheduler.state(of: CellID(0)) == .failed)
  }

  @Test("draining leases nothing more, lets what runs finish, and then finishes")
  func draining() {
    var trial = Trial(cells: 3)
    _ = trial.at(0, .joined(anna, WorkerCapacity(), running: []))
    _ = trial.at(0, .ready(anna, credit: 1))
    #expect(trial.at(1, .drain) == [.drain(anna)])
    #expect(
      trial.deliver(anna, 1, cell: 0, at: 2) == [
        .record(.result(AttemptID(1), trial.result(0))), .record(.outcome(CellID(0), .completed)),
        .acknowledge(anna, AttemptID(1)), .finish,
      ])
    #expect(trial.at(3, .joined(bert, WorkerCapacity(), running: [])).contains(.drain(bert)))
    #expect(trial.at(3, .ready(bert, credit: 1)).isEmpty)
  }

  @Test("a sweep with nothing left to do finishes at the first event")
  func nothingToDo() {
    var trial = Trial(cells: 0)
    #expect(trial.at(0, .tick) == [.finish])
    #expect(trial.at(1, .tick).isEmpty)
  }
}
