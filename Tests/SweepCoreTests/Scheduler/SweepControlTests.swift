import ContentHash
import Testing

@testable import SweepCore

/// Several sweeps, and what those who run them ask for.
@Suite struct SweepControlTests {
  private let anna = WorkerID("anna")
  private let bert = WorkerID("bert")
  private let first = SweepIndex(0)
  private let second = SweepIndex(1)

  @Test("sweeps of the same priority share the workers; one of higher priority goes first")
  func shares() {
    var equal = Trial(sweeps: [(4, 0), (4, 0)])
    #expect(equal.admit(anna, slots: 4, credit: 4).map(\.cell) == [0, 4, 1, 5])
    var unequal = Trial(sweeps: [(4, 0), (2, 7)])
    #expect(unequal.admit(anna, slots: 4, credit: 4).map(\.cell) == [4, 5, 0, 1])
  }

  @Test("a new priority counts from the next lease on, and is recorded")
  func prioritising() {
    var trial = Trial(sweeps: [(3, 0), (3, 0)])
    trial.admit(anna, slots: 1, credit: 1)
    #expect(trial.at(1, .prioritise(second, 2)) == [.record(.sweep(second, .prioritised(2)))])
    #expect(trial.at(1, .prioritise(second, 2)).isEmpty)
    #expect(trial.deliver(anna, 1, cell: 0, at: 2).leases == [GivenLease(anna, 2, 3)])
    #expect(trial.deliver(anna, 2, cell: 3, at: 3).leases == [GivenLease(anna, 3, 4)])
  }

  @Test("a paused sweep gets no leases, what waits at workers is taken back, what runs goes on")
  func pausing() {
    var trial = Trial(sweeps: [(4, 1), (2, 0)])
    #expect(trial.admit(anna, slots: 1, credit: 3).map(\.cell) == [0, 1, 2])
    let actions = trial.at(1, .pause(first))
    #expect(
      actions == [
        .record(.sweep(first, .paused)),
        .record(.ended(AttemptID(3), .takenBack)), .revoke(anna, AttemptID(3)),
        .record(.ended(AttemptID(2), .takenBack)), .revoke(anna, AttemptID(2)),
        .record(.leased(AttemptID(4), CellID(4), anna)), .lease(anna, AttemptID(4), CellID(4)),
        .record(.leased(AttemptID(5), CellID(5), anna)), .lease(anna, AttemptID(5), CellID(5)),
      ])
    #expect(trial.scheduler.isPaused(first))
    #expect(trial.at(2, .pause(first)).isEmpty)
    #expect(trial.deliver(anna, 1, cell: 0, at: 3).contains(.record(.outcome(CellID(0), .completed))))
    #expect(trial.at(4, .resume(first)).leases == [GivenLease(anna, 6, 1)], "what was leased before goes first")
    #expect(trial.at(5, .resume(first)).isEmpty)
  }

  @Test("a paused sweep keeps the coordinator waiting")
  func pausedIsNotFinished() {
    var trial = Trial(cells: 1)
    trial.admit(anna)
    _ = trial.at(1, .pause(first))
    _ = trial.fail(anna, 1, at: 2)
    #expect(!trial.work([anna], from: 500, to: 20_000).contains(.finish))
    #expect(trial.at(20_100, .resume(first)).leases == [GivenLease(anna, 2, 0)])
  }

  @Test("cancelling ends every open cell of its sweep, and no other")
  func cancelling() {
    var trial = Trial(sweeps: [(2, 0), (1, 0)])
    #expect(trial.admit(anna, slots: 2, credit: 2).map(\.cell) == [0, 2])
    #expect(
      trial.at(2, .cancel(first)) == [
        .record(.sweep(first, .cancelled)), .record(.outcome(CellID(0), .cancelled)),
        .record(.ended(AttemptID(1), .revoked)), .revoke(anna, AttemptID(1)),
        .record(.outcome(CellID(1), .cancelled)),
      ])
    #expect(trial.at(2, .cancel(first)).isEmpty)
    #expect(trial.scheduler.tallies(of: first)[0][.cancelled] == 2)
    #expect(trial.scheduler.state(of: CellID(2)) == .running([AttemptID(2)]))
  }

  @Test("an equal cell of another sweep keeps what runs when the sweep it was leased for is cancelled")
  func cancellingOneOfTwoEquals() {
    let same = SHA256Digest(of: "same")
    var trial = Trial(fingerprints: [same, same], sweeps: [(1, 0), (1, 0)])
    trial.admit(anna)
    let actions = trial.at(1, .cancel(first))
    #expect(actions.contains(.record(.outcome(CellID(0), .cancelled))))
    #expect(!actions.contains(.revoke(anna, AttemptID(1))))
    #expect(trial.scheduler.state(of: CellID(1)) == .running([AttemptID(1)]))
    #expect(trial.deliver(anna, 1, cell: 0, at: 2).contains(.record(.outcome(CellID(1), .completed))))
    #expect(trial.scheduler.state(of: CellID(0)) == .cancelled)
  }

  @Test("an equal cell of a sweep that is not paused is leased for both")
  func pausingOneOfTwoEquals() {
    let same = SHA256Digest(of: "same")
    var trial = Trial(fingerprints: [same, same], sweeps: [(1, 0), (1, 0)])
    _ = trial.at(0, .pause(first))
    #expect(trial.admit(anna) == [GivenLease(anna, 1, 1)])
    let actions = trial.deliver(anna, 1, cell: 0, at: 1)
    #expect(actions.contains(.record(.outcome(CellID(0), .completed))))
    #expect(actions.contains(.finish))
  }

  @Test("a retried cell has all its attempts again, on any worker")
  func retrying() {
    var trial = Trial(cells: 2)
    trial.admit(anna)
    for attempt in 1...3 { _ = trial.fail(anna, UInt64(attempt), at: attempt) }
    #expect(trial.scheduler.state(of: CellID(0)) == .failed)
    _ = trial.at(4, .ready(anna, credit: 0))
    #expect(trial.deliver(anna, 4, cell: 1, at: 5).contains(.finish) == true)

    var again = Trial(cells: 2)
    again.admit(anna)
    for attempt in 1...3 { _ = again.fail(anna, UInt64(attempt), at: attempt) }
    let actions = again.at(4, .retry([CellID(0), CellID(1)]))
    #expect(actions == [.record(.reopened(CellID(0), from: AttemptID(5)))], "cell 1 is running")
    #expect(again.deliver(anna, 4, cell: 1, at: 5).leases == [GivenLease(anna, 5, 0)])
    for attempt in 5...6 { _ = again.fail(anna, UInt64(attempt), at: attempt) }
    #expect(again.scheduler.state(of: CellID(0)) == .running([AttemptID(7)]))
    #expect(again.deliver(anna, 7, cell: 0, at: 8).contains(.finish))
  }

  @Test("a restart knows which attempts were made before a retry")
  func retryAndRestart() {
    let fingerprint = SHA256Digest(of: "cell")
    let attempts = (1...3).map { number in
      Scheduler.StoredAttempt(
        attempt: AttemptID(UInt64(number)), cell: CellID(0), worker: anna, standing: .ended(.failed(broken)))
    }
    var scheduler = Scheduler(
      sweeps: [
        .init(
          cells: [
            .init(fingerprint: fingerprint, state: .pending, resultDigest: nil, group: 0, countedFrom: AttemptID(3))
          ], groups: 1)
      ], attempts: attempts, nextAttempt: AttemptID(4), at: Instant(nanoseconds: 0))
    _ = scheduler.handle(.ready(anna, credit: 1), at: Instant(nanoseconds: 0))
    _ = scheduler.handle(.failure(anna, AttemptID(4), broken), at: Instant(nanoseconds: 0))
    #expect(scheduler.state(of: CellID(0)) == .running([AttemptID(5)]), "two of three are used up")
    _ = scheduler.handle(.failure(anna, AttemptID(5), broken), at: Instant(nanoseconds: 0))
    #expect(scheduler.state(of: CellID(0)) == .failed)
  }

  @Test("a retried cell whose result has come by now is completed by it")
  func retryWithAResult() {
    var trial = Trial(cells: 2)
    trial.loseToBert(anna, bert)
    _ = trial.fail(bert, 2, .diverged, at: 2600)
    _ = trial.deliver(anna, 1, cell: 0, at: 2700)
    #expect(trial.scheduler.state(of: CellID(0)) == .failed)
    #expect(
      trial.at(2800, .retry([CellID(0)])) == [
        .record(.reopened(CellID(0), from: AttemptID(4))), .record(.outcome(CellID(0), .completed)),
      ])
  }

  @Test("a cancelled cell can be retried")
  func retryAfterCancelling() {
    var trial = Trial(sweeps: [(1, 0), (1, 0)])
    trial.admit(anna)
    _ = trial.at(1, .cancel(second))
    #expect(trial.scheduler.state(of: CellID(1)) == .cancelled)
    _ = trial.at(2, .retry([CellID(1)]))
    #expect(trial.deliver(anna, 1, cell: 0, at: 3).leases == [GivenLease(anna, 2, 1)])
  }

  @Test("a worker that is to be drained gets nothing more, also when it asks and when it comes back")
  func drainingAWorker() {
    var trial = Trial(cells: 3)
    trial.admit(anna)
    #expect(trial.at(1, .drainWorker(anna)) == [.drain(anna)])
    #expect(trial.deliver(anna, 1, cell: 0, at: 2).leases.isEmpty)
    #expect(trial.at(3, .ready(anna, credit: 1)).isEmpty)
    trial.pass(from: 500, to: 5000)
    #expect(trial.at(5001, .joined(anna, WorkerCapacity(), running: [])).contains(.drain(anna)))
    #expect(trial.at(5002, .ready(anna, credit: 1)).isEmpty)
    #expect(trial.at(5003, .drainWorker(bert)).isEmpty)
    #expect(trial.admit(bert, at: 5003) == [GivenLease(bert, 2, 1)])
  }

  @Test("a worker that is cut off loses its leases at once, and no attempt is used up")
  func cuttingOff() {
    var trial = Trial(cells: 1)
    trial.admit(anna)
    trial.admit(bert)
    for round in 0..<4 {
      let worker = round % 2 == 0 ? anna : bert
      let actions = trial.at(round, .revokeWorker(worker, reason: "key revoked"))
      #expect(actions.first == .record(.worker(worker, .revoked("key revoked"))))
      #expect(actions.contains(.forget(worker)))
      #expect(actions.losses == [.workerRevoked])
      trial.admit(worker, at: round)
    }
    #expect(trial.at(9, .revokeWorker(WorkerID("nobody"), reason: "")).isEmpty)
    #expect(trial.scheduler.state(of: CellID(0)) == .running([AttemptID(5)]))
  }
}
