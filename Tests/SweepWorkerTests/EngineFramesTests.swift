import ContentHash
import Foundation
import SweepCore
import SweepWire
import TestSupport
import Testing

@testable import SweepWorker

/// The frames between a supervisor and its engines.
@Suite struct EngineFramesTests {
  private static let file = LocalArtefact(
    artefact: Artefact(digest: SHA256Digest(of: "a"), role: "corpus:german", name: "de.txt", size: 1 << 40),
    path: "/cache/größer", stamp: FileStamp(size: 1 << 40, changed: Date(timeIntervalSince1970: 1.5), number: 77))
  private static let toEngine: [ToEngine] = [
    .run(
      EngineJob(cell: LeasedCell(attempt: AttemptID(.max), index: 7, cell: [1, 2, 3], artefacts: []), files: [])),
    .run(
      EngineJob(
        cell: LeasedCell(attempt: AttemptID(1), index: 0, cell: [], artefacts: []), files: [file, file])),
    .cancel(AttemptID(9)),
  ]
  private static let fromEngine: [FromEngine] = [
    .ready, .alive(nil),
    .alive(AttemptProgress(attempt: AttemptID(3), step: 5, steps: 9, loss: nil)),
    .alive(AttemptProgress(attempt: AttemptID(3), step: 5, steps: 9, loss: -0.125)),
    .finished(AttemptID(4), .result(outcome(4))),
    .finished(AttemptID(5), .result(outcome(5, windows: WindowBytes(base: [1, 2, 3, 4], edited: [5, 6, 7, 8])))),
    .stale(AttemptID(8), [SHA256Digest(of: "a"), SHA256Digest(of: "b")]),
    .finished(AttemptID(4), .failure(CellFailure(kind: .outOfMemory, message: "größer als der Speicher"))),
  ]

  private func body(_ frame: [UInt8]) -> [UInt8] {
    let length = frame.prefix(4).reversed().reduce(0) { $0 << 8 | Int($1) }
    #expect(length == frame.count - 4)
    return Array(frame.dropFirst(4))
  }

  @Test("What is encoded is decoded")
  func roundTrips() throws {
    for message in Self.toEngine {
      #expect(try EngineFrames.decodeToEngine(body(EngineFrames.encode(message))) == message)
    }
    for message in Self.fromEngine {
      #expect(try EngineFrames.decodeFromEngine(body(EngineFrames.encode(message))) == message)
    }
  }

  @Test("A frame that is cut anywhere, or goes on, is refused")
  func truncations() {
    for frame in Self.toEngine.map(EngineFrames.encode) {
      let body = body(frame)
      for count in body.indices {
        #expect(throws: EngineFrameError.self) { try EngineFrames.decodeToEngine(Array(body.prefix(count))) }
      }
      #expect(throws: EngineFrameError.self) { try EngineFrames.decodeToEngine(body + [0]) }
    }
    for frame in Self.fromEngine.map(EngineFrames.encode) {
      let body = body(frame)
      for count in body.indices {
        #expect(throws: EngineFrameError.self) { try EngineFrames.decodeFromEngine(Array(body.prefix(count))) }
      }
      #expect(throws: EngineFrameError.self) { try EngineFrames.decodeFromEngine(body + [0]) }
    }
  }

  @Test("Windows beyond the bound are refused by their announced length")
  func longWindows() {
    let windows = WindowBytes(base: [1, 2, 3, 4], edited: [5, 6, 7, 8])
    let frame = body(EngineFrames.encode(.finished(AttemptID(5), .result(outcome(5, windows: windows)))))
    let most = WireProtocol.windowBytes
    for (place, allowed) in [(frame.count - 16, most), (frame.count - 8, most - 4)] {
      var long = frame
      for byte in 0..<4 { long[place + byte] = UInt8(truncatingIfNeeded: (allowed + 1) >> (8 * byte)) }
      let error = #expect(throws: EngineFrameError.self) { try EngineFrames.decodeFromEngine(long) }
      #expect(error?.description == "expected a length up to \(allowed), found \(allowed + 1)")
    }
  }

  @Test("Whatever bytes come, decoding ends with a message or an error")
  func noise() {
    var random = SeededGenerator(seed: 11)
    var decoded = 0
    for frame in (Self.toEngine.map(EngineFrames.encode) + Self.fromEngine.map(EngineFrames.encode)).map(body) {
      for _ in 0..<2000 {
        var bytes = frame
        for _ in 0...Int.random(in: 0...2, using: &random) {
          bytes[Int.random(in: bytes.indices, using: &random)] = UInt8.random(in: 0...255, using: &random)
        }
        if (try? EngineFrames.decodeToEngine(bytes)) != nil { decoded += 1 }
        if (try? EngineFrames.decodeFromEngine(bytes)) != nil { decoded += 1 }
      }
    }
    // A changed number or letter makes another message.
    #expect(decoded > 1000)
  }
}
