import ContentHash
import SweepCore
import SweepWire
import TestSupport

/// Draws messages of every kind within the protocol's bounds.
extension SeededGenerator {
  mutating func fromWorker() -> FromWorker {
    switch Int.random(in: 0..<7, using: &self) {
    case 0:
      .hello(
        Hello(
          workerID: WorkerID(name()), engineVersion: name(), engineRevision: number(0...Int(UInt32.max)),
          host: name(), processIdentifier: number(0...Int(UInt32.max)), cores: number(0...(1 << 20)),
          memoryMiB: number(0...(1 << 40)), storeID: Bool.random(using: &self) ? name() : nil, running: attempts(),
          slots: number(1...WireProtocol.credit), build: name()))
    case 1: .ready(credit: number(0...WireProtocol.credit))
    case 2:
      .heartbeat(
        attempts().map {
          AttemptProgress(
            attempt: $0, step: number(0...Int(UInt32.max)), steps: number(0...Int(UInt32.max)), loss: loss(),
            isStarted: Bool.random(using: &self))
        })
    case 3:
      .result(
        AttemptResult(
          attempt: attempt(), fingerprint: digest(), result: bytes(1...300), report: bytes(1...100),
          windows: Bool.random(using: &self) ? WindowBytes(base: bytes(0...40), edited: bytes(0...80)) : nil))
    case 4:
      .failure(
        attempt: attempt(),
        CellFailure(kind: CellFailure.Kind.allCases.randomElement(using: &self) ?? .diverged, message: text()))
    case 5: .goodbye(reason: text())
    default:
      .artefactRequest(
        ArtefactRequest(
          digest: digest(), offset: number(0...WireProtocol.artefactBytes), count: number(0...WireProtocol.chunkBytes),
          receipt: next()))
    }
  }

  mutating func toWorker() -> ToWorker {
    switch Int.random(in: 0..<8, using: &self) {
    case 0:
      .welcome(
        Welcome(
          sweep: name(), coordinatorID: name(), storeID: name(),
          artefacts: (0..<number(0...5)).map { _ in
            Artefact(digest: digest(), role: name(), name: name(), size: number(0...WireProtocol.artefactBytes))
          },
          heartbeatInterval: .nanoseconds(number(1...86_400_000_000_000)),
          lostAfter: .nanoseconds(number(1...86_400_000_000_000))))
    case 1:
      .lease(
        (0..<number(0...8)).map { _ in
          LeasedCell(
            attempt: attempt(), index: number(0...(Int.max >> 1)), cell: bytes(1...400),
            artefacts: (0..<number(0...9)).map { _ in number(0...(WireProtocol.listCount - 1)) })
        })
    case 2: .acknowledge(attempts())
    case 3: .revoke(attempts())
    case 4: .drain
    case 5: .refuse(reason: text())
    case 6:
      .artefactChunk(
        ArtefactChunk(
          digest: digest(), offset: number(0...WireProtocol.artefactBytes), content: bytes(0...300), receipt: next()))
    default: .artefactMissing(digest: digest(), reason: text())
    }
  }

  private mutating func attempt() -> AttemptID {
    AttemptID(Bool.random(using: &self) ? UInt64.random(in: 1...300, using: &self) : UInt64.max)
  }

  private mutating func attempts() -> [AttemptID] {
    (0..<Int.random(in: 0...20, using: &self)).map { _ in attempt() }
  }

  private mutating func loss() -> Double? {
    [nil, 0, -0.5, 11.2, .infinity, .leastNonzeroMagnitude].randomElement(using: &self) ?? nil
  }

  private mutating func digest() -> SHA256Digest {
    SHA256Digest(of: bytes(0...4))
  }

  private mutating func name() -> String {
    let name = text().prefix(60)
    return name.isEmpty ? "worker" : String(name)
  }

  private mutating func text() -> String {
    let alphabet: [Character] = ["a", "Z", "0", " ", "-", "/", "ß", "é", "語", "🦉", "\"", "\\", "\u{301}"]
    return String((0..<Int.random(in: 0...60, using: &self)).map { _ in alphabet.randomElement(using: &self) ?? "a" })
  }
}
