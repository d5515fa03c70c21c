import ContentHash
import Testing

@testable import SweepCore

/// What idle workers do when no cell waits.
@Suite struct TailTests {
  private let anna = WorkerID("anna")
  private let bert = WorkerID("bert")
  private let carl = WorkerID("carl")

  // MARK: - Leases not started

  @Test("an idle worker gets what another holds and has not started")
  func takingBack() {
    var trial = Trial(cells: 3)
    #expect(trial.admit(anna, credit: 3).count == 3)
    _ = trial.at(0, .joined(bert, WorkerCapacity(), running: []))
    #expect(
      trial.at(0, .ready(bert, credit: 3)) == [
        .record(.ended(AttemptID(3), .takenBack)), .revoke(anna, AttemptID(3)),
        .record(.leased(AttemptID(4), CellID(2), bert)), .lease(bert, AttemptID(4), CellID(2)),
      ], "the last, and no more than bert can run at a time")
    _ = trial.deliver(bert, 4, cell: 2, at: 1)
    #expect(trial.scheduler.leases(of: bert) == [AttemptID(5)])
    #expect(trial.scheduler.leases(of: anna) == [AttemptID(1)])
    #expect(trial.deliver(bert, 5, cell: 1, at: 2).leases.isEmpty, "anna has started the first")
  }

  @Test("what a worker says that it has started is not taken back, nor what it may have started since it came back")
  func startedLeases() {
    var trial = Trial(cells: 3)
    trial.admit(anna, credit: 3)
    let held = [(1, true), (2, false), (3, true)].map { HeldAttempt(AttemptID($0.0), isStarted: $0.1) }
    _ = trial.at(1, .heartbeat(anna, holding: held))
    #expect(trial.admit(bert, slots: 2, credit: 2, at: 1) == [GivenLease(bert, 4, 1)])

    let open = (1...3).map { number in
      Scheduler.StoredAttempt(
        attempt: AttemptID(UInt64(number)), cell: CellID(number - 1), worker: anna, standing: .open)
    }
    var later = Trial(cells: 3, attempts: open, next: 4)
    _ = later.at(0, .joined(anna, WorkerCapacity(slots: 1), running: open.map(\.attempt)))
    #expect(later.admit(bert).isEmpty)
    #expect(later.at(1, .heartbeat(anna, holding: held)).leases == [GivenLease(bert, 4, 1)])
  }

  @Test("a result of what was taken back still counts, and the other attempt is revoked")
  func takenBackTooLate() {
    var trial = Trial(cells: 2)
    trial.admit(anna, credit: 2)
    trial.admit(bert)
    let actions = trial.deliver(anna, 2, cell: 1, at: 1)
    #expect(actions.contains(.record(.result(AttemptID(2), trial.result(1)))))
    #expect(actions.contains(.record(.ended(AttemptID(3), .revoked))))
    #expect(actions.contains(.revoke(bert, AttemptID(3))))
    #expect(actions.contains(.acknowledge(anna, AttemptID(2))))
  }

  @Test("nothing is taken back for a worker on which the cell failed")
  func takingBackAvoids() {
    var trial = Trial(cells: 3)
    trial.admit(bert)
    trial.admit(anna, credit: 2)
    _ = trial.fail(bert, 1, at: 1)
    #expect(trial.scheduler.leases(of: bert) == [AttemptID(4)], "cell 2, which anna has not started")
    #expect(trial.scheduler.leases(of: anna) == [AttemptID(2), AttemptID(5)], "cell 0 in its place")
    #expect(trial.deliver(bert, 4, cell: 2, at: 2).leases.isEmpty, "anna has not started cell 0, but bert failed it")
  }

  // MARK: - Copies

  @Test("an idle worker runs a second copy of the cell that has run longest, and the first result counts")
  func copies() {
    var trial = Trial(cells: 2)
    trial.admit(anna)
    _ = trial.work([anna], from: 500, to: 3000)
    trial.admit(bert, at: 3000)
    trial.admit(carl, at: 3000)
    let early = trial.work([anna, bert, carl], from: 3500, to: 9500)
    #expect(early.leases.isEmpty, "nobody has run for ten seconds")
    let copy = trial.work([anna, bert, carl], from: 10_000, to: 10_000)
    #expect(copy.leases == [GivenLease(carl, 3, 0)])
    #expect(copy.purposes == [.copy])
    #expect(trial.scheduler.state(of: CellID(0)) == .running([AttemptID(1), AttemptID(3)]))
    #expect(trial.work([anna, bert, carl], from: 10_500, to: 20_000).leases.isEmpty, "two copies are enough")
    let end = trial.deliver(carl, 3, cell: 0, at: 20_100)
    #expect(end.contains(.record(.ended(AttemptID(1), .revoked))))
    #expect(end.contains(.revoke(anna, AttemptID(1))))
    #expect(end.leases == [GivenLease(carl, 4, 1)], "bert's has run for ten seconds by now")
  }

  @Test("no copy runs while a cell waits, on the worker that runs the cell, or on one on which it failed")
  func noCopies() {
    var trial = Trial(cells: 2)
    trial.admit(bert)
    trial.admit(anna, slots: 2, credit: 2)
    // Cell 0 has failed on bert; anna runs both.
    _ = trial.fail(bert, 1, at: 1)
    #expect(trial.scheduler.leases(of: anna) == [AttemptID(2), AttemptID(3)])
    let actions = trial.work([anna, bert], from: 500, to: 30_000)
    #expect(actions.leases == [GivenLease(bert, 4, 1)], "a copy of the cell that did not fail there")
    #expect(actions.purposes == [.copy])
  }

  @Test("a failed copy is no end, and another may be run")
  func failedCopy() {
    var trial = Trial(cells: 1)
    trial.admit(anna)
    trial.admit(bert)
    _ = trial.work([anna, bert], from: 500, to: 10_000)
    #expect(trial.fail(bert, 2, at: 10_100).leases.isEmpty)
    #expect(trial.scheduler.state(of: CellID(0)) == .running([AttemptID(1)]))
    trial.admit(carl, at: 10_200)
    #expect(trial.scheduler.state(of: CellID(0)) == .running([AttemptID(1), AttemptID(3)]))
  }

  // MARK: - Audits

  @Test("an audited cell is completed at once and run again elsewhere before the end")
  func audit() {
    var trial = Trial(cells: 1, audited: 1)
    trial.admit(anna)
    let first = trial.deliver(anna, 1, cell: 0, at: 1)
    #expect(first.contains(.record(.outcome(CellID(0), .completed))))
    #expect(!first.contains(.finish))
    #expect(trial.scheduler.openAudits == 1)
    #expect(trial.admit(bert, at: 2) == [GivenLease(bert, 2, 0)])
    #expect(trial.scheduler.state(of: CellID(0)) == .completed)
    #expect(
      trial.deliver(bert, 2, cell: 0, at: 3) == [
        .record(.ended(AttemptID(2), .duplicate)), .record(.audited(CellID(0), .agreed)),
        .acknowledge(bert, AttemptID(2)), .drain(anna), .drain(bert), .finish,
      ])
  }

  @Test("a differing second result is a fault, and so is a second execution that fails for good")
  func failedAudit() {
    var trial = Trial(cells: 2, audited: 1)
    trial.admit(anna)
    _ = trial.deliver(anna, 1, cell: 0, at: 1)
    _ = trial.deliver(anna, 2, cell: 1, at: 1)
    trial.admit(bert, at: 2)
    let other = trial.result(0, "other numbers")
    let differing = trial.at(3, .result(bert, AttemptID(3), other))
    #expect(differing.contains(.record(.fault(AttemptID(3), other))))
    #expect(differing.contains(.record(.audited(CellID(0), .differed))))
    let failing = trial.fail(bert, 4, .diverged, at: 4)
    #expect(failing.contains(.record(.audited(CellID(1), .differed))))
    #expect(trial.scheduler.state(of: CellID(1)) == .completed)
    #expect(failing.contains(.finish))
  }

  @Test("an audit that fails everywhere is given up without harm to its cell")
  func auditGivenUp() {
    var trial = Trial(cells: 1, audited: 1)
    trial.admit(anna)
    _ = trial.deliver(anna, 1, cell: 0, at: 1)
    trial.admit(bert, at: 2)
    _ = trial.fail(bert, 2, .crashed, at: 3)
    _ = trial.fail(bert, 3, .crashed, at: 3)
    let actions = trial.fail(bert, 4, .crashed, at: 3)
    #expect(actions.contains(.record(.audited(CellID(0), .failed))))
    #expect(actions.contains(.finish))
    #expect(trial.scheduler.state(of: CellID(0)) == .completed)
  }

  @Test("where there is only one worker, it audits itself after a while")
  func auditOnOneWorker() {
    var trial = Trial(cells: 1, audited: 1)
    trial.admit(anna)
    _ = trial.deliver(anna, 1, cell: 0, at: 1)
    #expect(trial.work([anna], from: 500, to: 10_000).leases.isEmpty)
    #expect(trial.work([anna], from: 10_500, to: 10_500).leases == [GivenLease(anna, 2, 0)])
    #expect(
      trial.deliver(anna, 2, cell: 0, at: 11_000).contains(.record(.audited(CellID(0), .agreedOnOneWorker))))
  }

  @Test("a copy that is under way when the result comes serves the audit")
  func copyAsAudit() {
    var trial = Trial(cells: 1, audited: 1)
    trial.admit(anna)
    trial.admit(bert)
    _ = trial.work([anna, bert], from: 500, to: 10_000)
    #expect(!trial.deliver(anna, 1, cell: 0, at: 10_100).contains(.revoke(bert, AttemptID(2))))
    #expect(trial.deliver(bert, 2, cell: 0, at: 10_200).contains(.record(.audited(CellID(0), .agreed))))
  }

  @Test("the stated share of the cells is audited, the same in every run")
  func auditFraction() {
    func audits() -> Int {
      var trial = Trial(cells: 1000, audited: 0.1)
      trial.admit(anna, slots: 1000, credit: 1000)
      for cell in 0..<1000 { _ = trial.deliver(anna, UInt64(cell + 1), cell: cell, at: 1) }
      return trial.scheduler.openAudits
    }
    let count = audits()
    #expect((80...120).contains(count))
    #expect(audits() == count)
  }

  @Test("a restart owes the audits that were owed, and no others")
  func auditAfterRestart() {
    let fingerprints = (0..<3).map { SHA256Digest(of: "cell \($0)") }
    let digest = ResultDigest(numbers: SHA256Digest(of: "numbers"))
    func stored(_ index: Int, isAudited: Bool) -> Scheduler.StoredCell {
      .init(fingerprint: fingerprints[index], state: .completed, resultDigest: digest, group: 0, isAudited: isAudited)
    }
    let cells = [stored(0, isAudited: false), stored(1, isAudited: true), stored(2, isAudited: false)]
    let attempts: [Scheduler.StoredAttempt] = [
      .init(attempt: AttemptID(1), cell: CellID(0), worker: anna, standing: .delivered),
      .init(attempt: AttemptID(2), cell: CellID(1), worker: anna, standing: .delivered),
      .init(attempt: AttemptID(3), cell: CellID(0), worker: bert, purpose: .audit, standing: .open),
    ]
    var scheduler = Scheduler(
      sweeps: [.init(cells: cells, groups: 1, auditFraction: 1)], attempts: attempts, nextAttempt: AttemptID(4),
      at: Instant(nanoseconds: 0))
    #expect(scheduler.openAudits == 1, "cell 2 was reused: nobody ran it here")
    _ = scheduler.handle(.joined(bert, WorkerCapacity(), running: [AttemptID(3)]), at: Instant(nanoseconds: 0))
    #expect(scheduler.leases(of: bert) == [AttemptID(3)])
    let result = DeliveredResult(fingerprint: fingerprints[0], result: Array("numbers".utf8), report: [])
    let actions = scheduler.handle(.result(bert, AttemptID(3), result), at: Instant(nanoseconds: 1))
    #expect(actions.contains(.record(.audited(CellID(0), .agreed))))
    #expect(actions.contains(.finish))
  }

  @Test("executions that differ in a window alone differ; one without windows says nothing of them")
  func windowsAreCompared() {
    let corpus = WindowLosses(validation: [1, 2], test: [3, 4])
    var other = corpus
    other.test[1].negate()
    let windows = [corpus, other].map { WindowBytes(ResultWindows(base: [corpus], edited: [[$0]])) }
    func verdict(_ first: WindowBytes?, _ second: WindowBytes?) -> AuditOutcome? {
      var trial = Trial(cells: 1, audited: 1)
      trial.admit(anna)
      trial.admit(bert)
      func result(_ windows: WindowBytes?) -> DeliveredResult {
        DeliveredResult(
          fingerprint: trial.fingerprints[0], result: Array("numbers".utf8), report: [], windows: windows)
      }
      let (one, two) = (result(first), result(second))
      _ = trial.at(1, .result(anna, AttemptID(1), one))
      let actions = trial.at(2, .result(bert, AttemptID(2), two))
      let isFault = actions.contains { if case .record(.fault(AttemptID(2), two)) = $0 { true } else { false } }
      let outcome = actions.compactMap { action -> AuditOutcome? in
        if case .record(.audited(_, let outcome)) = action { outcome } else { nil }
      }.first
      #expect(isFault == (outcome == .differed))
      return outcome
    }
    #expect(verdict(windows[0], windows[0]) == .agreed)
    #expect(verdict(windows[0], windows[1]) == .differed)
    #expect(verdict(windows[0], nil) == .agreed)
    #expect(verdict(nil, windows[1]) == .agreed)
    // The base model's part counts as well.
    let base = WindowBytes(ResultWindows(base: [other], edited: [[corpus]]))
    #expect(verdict(windows[0], base) == .differed)
  }

  @Test("cancelling a sweep calls its audits off")
  func cancelledAudit() {
    var trial = Trial(cells: 1, audited: 1)
    trial.admit(anna)
    trial.admit(bert)
    _ = trial.deliver(anna, 1, cell: 0, at: 1)
    let actions = trial.at(2, .cancel(SweepIndex(0)))
    #expect(actions.contains(.record(.audited(CellID(0), .calledOff))))
    #expect(actions.contains(.revoke(bert, AttemptID(2))))
    #expect(actions.contains(.finish))
  }
}
