internal import ContentHash
internal import Foundation
internal import SweepCore
internal import SweepWire

/// Inputs to begin with: every message once, and some ordinary and some less ordinary lives of workers.
enum Seeds {
  /// Writes them; `false` if that fails.
  static func write(to folder: String) -> Bool {
    do {
      try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
      for (name, content) in all { try Data(content).write(to: URL(fileURLWithPath: "\(folder)/\(name)")) }
      return true
    } catch {
      return false
    }
  }

  private static var all: [(name: String, content: [UInt8])] {
    let requests = [
      hello("w"), .ready(credit: 2), .heartbeat([progress(1)]), .result(Trial.result(Trial.cells[0], attempt: 1)),
      .result(Trial.result(Trial.cells[0], attempt: 1, windows: 4)),
      .failure(attempt: AttemptID(1), CellFailure(kind: .crashed, message: "signal 11")), .goodbye(reason: "drained"),
      .artefactRequest(ArtefactRequest(digest: file, offset: 2, count: 3, receipt: 4)),
    ]
    let replies: [ToWorker] = [
      .welcome(
        Welcome(
          sweep: "s", coordinatorID: "c", storeID: "s",
          artefacts: [Artefact(digest: file, role: "weights", name: "w", size: 6)],
          heartbeatInterval: .milliseconds(500),
          lostAfter: .seconds(2))),
      .lease([LeasedCell(attempt: AttemptID(1), index: 0, cell: Array("{}".utf8), artefacts: [0])]),
      .acknowledge([AttemptID(1), AttemptID(300)]), .revoke([AttemptID(1)]), .drain, .refuse(reason: "no"),
      .artefactChunk(ArtefactChunk(digest: file, offset: 2, content: [1, 2, 3], receipt: 9)),
      .artefactMissing(digest: file, reason: "changed"),
    ]
    let bodies = requests.map(MessageCodec.encode) + replies.flatMap(MessageCodec.encode)
    let scripts = [ordinary, competition, reconnection, losses, revocation, strangers]
    return bodies.enumerated().map { ("message-\($0)", [1] + $1) }
      + scripts.enumerated().map { ("script-\($0)", [0] + $1) }
  }

  // MARK: - Lives

  /// One worker runs everything.
  private static var ordinary: [UInt8] {
    say(0, hello("w"), .ready(credit: 6), .heartbeat([progress(1)]))
      + Trial.cells.flatMap { say(0, .result(Trial.result($0, attempt: UInt64($0.index + 1)))) }
      + say(0, .goodbye(reason: "drained")) + [4, 50]
  }

  /// Two workers, differing duplicates, failures of every kind.
  private static var competition: [UInt8] {
    var script = say(0, hello("w"), .ready(credit: 3)) + say(1, hello("v"), .ready(credit: 3))
    for (number, kind) in CellFailure.Kind.allCases.enumerated() {
      script += say(
        number % 2, .failure(attempt: AttemptID(UInt64(number + 1)), CellFailure(kind: kind, message: "no")))
    }
    script += say(0, .result(Trial.result(Trial.cells[0], attempt: 1)))
    script += say(
      1, .result(Trial.result(Trial.cells[0], attempt: 1, alpha: 2)), .heartbeat([progress(2), progress(99)]))
    script += say(0, .result(Trial.result(Trial.cells[1], attempt: 2, windows: 4)))
    script += say(1, .result(Trial.result(Trial.cells[1], attempt: 4, windows: 5)))
    return script + [7 + 8 * 3, 1, 7 + 8 * 4, 1, 7 + 8 * 7, 1] + say(0, .ready(credit: 8), .heartbeat([])) + [7, 1]
  }

  /// A worker comes back on another connection, with and without what it ran.
  private static var reconnection: [UInt8] {
    say(0, hello("w"), .ready(credit: 2)) + say(3, hello("w", running: [1, 2, 77])) + say(0, .heartbeat([progress(1)]))
      + say(3, .ready(credit: 1), .result(Trial.result(Trial.cells[0], attempt: 1))) + [5 + 8 * 3, 10]
      + say(6, hello("w", running: []), .ready(credit: 1))
  }

  /// Silence, and a life after it.
  private static var losses: [UInt8] {
    say(0, hello("w"), .ready(credit: 2)) + say(3, hello("v"), .ready(credit: 1)) + [4, 60, 4, 60]
      + say(3, .heartbeat([]))
      + [4, 120]
      + say(0, .result(Trial.result(Trial.cells[0], attempt: 1)), hello("w", running: [1]), .ready(credit: 1))
  }

  /// Two workers with one key, which is revoked.
  private static var revocation: [UInt8] {
    say(1, hello("w"), .ready(credit: 1)) + say(4, hello("v"), .ready(credit: 1))
      + say(2, hello("w"), .ready(credit: 1))
      + [6 + 8 * 1, 5] + say(1, .heartbeat([progress(1)])) + say(2, .heartbeat([progress(3)]), requestForFile)
  }

  /// Peers that never said hello.
  private static var strangers: [UInt8] {
    say(5, .ready(credit: 1), .heartbeat([]), requestForFile, .goodbye(reason: "bye")) + [7 + 8 * 2, 0, 7 + 8 * 4, 0]
  }

  // MARK: - Words

  private static let file = SHA256Digest(of: "a file")
  private static let requestForFile = FromWorker.artefactRequest(
    ArtefactRequest(digest: file, offset: 0, count: 6, receipt: 0))

  private static func hello(_ worker: String, running: [UInt64] = []) -> FromWorker {
    .hello(
      Hello(
        workerID: WorkerID(worker), engineVersion: "1", engineRevision: CellSpecification.engineRevision, host: "here",
        processIdentifier: 7, cores: 1, memoryMiB: 1024, storeID: running.isEmpty ? nil : Trial.storeName,
        running: running.map { AttemptID($0) }, slots: 1, build: "1"))
  }

  private static func progress(_ attempt: UInt64) -> AttemptProgress {
    AttemptProgress(attempt: AttemptID(attempt), step: 1, steps: 10, loss: 0.5)
  }

  private static func say(_ peer: Int, _ messages: FromWorker...) -> [UInt8] {
    messages.flatMap { message in
      let body = MessageCodec.encode(message)
      return [UInt8(8 * peer), 5, UInt8(body.count & 255), UInt8(body.count >> 8)] + body
    }
  }
}
