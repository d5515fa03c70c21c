import Glibc
import Testing

@testable import pdsweep

@Suite
struct WorkerSlotTests {
  @Test
  func aWorkerThatEndsAsToldIsNotReplaced() {
    var slot = WorkerSlot()
    let verdict = slot.ended(.status(0), after: .seconds(1))
    #expect(verdict == .done)
  }

  @Test
  func aWorkerThatWouldEndInTheSameWayAgainIsNotReplaced() {
    var slot = WorkerSlot()
    let verdict = slot.ended(.status(2), after: .seconds(3600))
    #expect(verdict == .giveUp)
  }

  @Test
  func pausesDoubleOverShortLivesUntilThePlaceIsGivenUp() {
    var slot = WorkerSlot()
    var verdicts: [WorkerSlot.Verdict] = []
    for _ in 0..<6 { verdicts.append(slot.ended(.signal(SIGKILL), after: .seconds(1))) }
    #expect(
      verdicts == [200, 400, 800, 1600, 3200].map { .restart(after: .milliseconds($0)) } + [.giveUp])
  }

  @Test
  func aLongLifeIsAFreshStart() {
    var slot = WorkerSlot()
    for _ in 0..<5 { _ = slot.ended(.status(1), after: .seconds(29)) }
    let verdicts = [30, 1, 1].map { slot.ended(.signal(SIGSEGV), after: .seconds($0)) }
    #expect(verdicts == [200, 200, 400].map { .restart(after: .milliseconds($0)) })
  }

  @Test
  func signalsAreToldByNumberAndName() {
    #expect("\(ProcessExit.signal(SIGSEGV))" == "signal 11 (segmentation fault)")
    #expect("\(ProcessExit.signal(64))" == "signal 64")
    #expect("\(ProcessExit.status(3))" == "exit status 3")
  }
}

@Suite
struct LastWordsTests {
  private func words(_ texts: String...) -> LastWords {
    texts.reduce(into: LastWords()) { $0.append($1.utf8) }
  }

  @Test
  func theLineThatTellsOfAnErrorIsPreferred() {
    #expect(
      words("start\nmain.swift:3: Fatal error: no ", "such cell\n  at frame 1\n").line?.contains("no such cell") == true
    )
    #expect(words("one\ntwo\n\n  \n").line == "two")
    #expect(words("\n").line == nil)
    #expect(LastWords().line == nil)
  }

  @Test
  func aFloodIsCutToItsEnd() {
    var words = LastWords()
    for _ in 0..<1000 { words.append(String(repeating: "x", count: 999).utf8) }
    words.append("\nlast".utf8)
    #expect(words.line == "last")
  }

  @Test
  func whatWouldDisturbATerminalIsReplaced() {
    #expect(words("a\u{1B}[2Jb\n").line == "a\u{FFFD}[2Jb")
  }
}
