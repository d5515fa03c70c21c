import ContentHash
import Foundation
import SweepCore
import SweepWire
import SweepWorker
import Synchronization
import Testing

/// What a worker checks before the engine sees a cell, and after.
@Suite(.timeLimit(.minutes(10))) struct CellChecksTests {
  private func failures(_ outcomes: [FromWorker]) -> [CellFailure] {
    outcomes.compactMap { outcome in
      guard case .failure(_, let failure) = outcome else { return nil }
      return failure
    }
  }

  private func never(_ files: Files) throws -> Stage {
    try Stage(files) { (_, _, _, _) throws(CellFailure) in
      throw CellFailure(kind: .engineFault, message: "the engine was reached")
    }
  }

  @Test("A file that has changed is refused with its name, the digest expected and the one found")
  func changedFile() async throws {
    let files = try Files()
    let path = files.path("tokenizer")
    // Its digest is that of sha256sum.
    try Data("something else".utf8).write(to: URL(filePath: path))
    var stage = try never(files)
    let failure = failures(try await stage.play([files.cell], artefacts: files.artefacts)).first
    #expect(failure?.kind == .refusedInput)
    let message = failure?.message ?? ""
    #expect(message.contains(path))
    #expect(message.contains("expected SHA-256 \(files.specification.target.tokenizer)"))
    #expect(message.contains("found f41f3fa625ff"), "\(message)")
  }

  @Test("A missing file is refused with its name", arguments: ["weights", "decomposition", "cut:german"])
  func missingFile(role: String) async throws {
    let files = try Files()
    try FileManager.default.removeItem(atPath: files.path(role))
    var stage = try never(files)
    let failure = failures(try await stage.play([files.cell], artefacts: files.artefacts)).first
    #expect(failure?.kind == .refusedInput)
    #expect(failure?.message.hasPrefix("\(role): \(files.path(role)): expected") == true, "\(failure?.message ?? "")")
  }

  @Test("A file that the coordinator does not offer is refused")
  func unofferedFile() async throws {
    let files = try Files()
    var stage = try never(files)
    let offered = files.artefacts.filter { $0.role != "corpus:german" }
    let failure = failures(try await stage.play([files.cell], artefacts: offered)).first
    #expect(failure?.kind == .refusedInput)
    #expect(failure?.message.hasPrefix("corpus:german: expected the coordinator to offer") == true)
  }

  @Test("Only the files that a cell names are looked at")
  func namedFilesOnly() async throws {
    let files = try Files()
    let missing = Artefact(digest: SHA256Digest(of: "other"), role: "other", name: "other", size: 1)
    var stage = try Stage(files) { (_, artefacts, _, _) throws(CellFailure) in .example(Double(artefacts.count)) }
    let outcomes = try await stage.play([files.cell, files.cell], artefacts: files.artefacts + [missing])
    #expect(outcomes.count == 2 && failures(outcomes).isEmpty)
  }

  @Test("A result is not delivered if a file was changed while its cell ran", arguments: ["weights", "cut:german"])
  func changeWhileRunning(role: String) async throws {
    let files = try Files()
    let path = files.path(role)
    var stage = try Stage(files) { (_, _, _, _) throws(CellFailure) in
      try? Data("something else".utf8).write(to: URL(filePath: path))
      return .example(1)
    }
    let outcomes = try await stage.play([files.cell, files.cell], artefacts: files.artefacts)
    let found = failures(outcomes)
    #expect(outcomes.count == 2 && found.map(\.kind) == [.engineFault, .refusedInput])
    #expect(found.first?.message.hasPrefix("\(role): \(path): the file was changed while the cell ran") == true)
  }

  @Test("A specification that this build would not have written is refused")
  func foreignSpecifications() async throws {
    let files = try Files()
    let text = String(decoding: files.cell, as: UTF8.self)
    var revised = files.specification
    revised.revision += 1
    let cells: [[UInt8]] = [
      Array("{}".utf8), Array("noise".utf8), Array(text.dropLast().utf8),
      Array(text.replacing("{\"corpora\"", with: "{\"added\":1,\"corpora\"").utf8),
      Array((text + " ").utf8), CanonicalJSON.encode(revised),
    ]
    var stage = try never(files)
    let failures = failures(try await stage.play(cells, artefacts: files.artefacts))
    #expect(failures.count == cells.count)
    for failure in failures {
      #expect(failure.kind == .refusedInput, "\(failure.message)")
      #expect(!failure.message.contains("\n"))
    }
    #expect(failures.last?.message.contains("engine revision 1, found 2") == true)
  }

  @Test("A result too large to be sent is refused, and the worker goes on")
  func largeResult() async throws {
    let files = try Files()
    let runs = Mutex(0)
    var stage = try Stage(files) { (_, _, _, _) throws(CellFailure) in
      let isFirst = runs.withLock { runs in
        runs += 1
        return runs == 1
      }
      var run = CellRun.example(1)
      if isFirst { run.result.edit = .prefactors(alphas: Array(repeating: 0.123456789, count: 400_000)) }
      return run
    }
    let outcomes = try await stage.play([files.cell, files.cell], artefacts: files.artefacts)
    #expect(failures(outcomes).map(\.kind) == [.refusedInput])
    guard case .result = outcomes.last else { return #expect(Bool(false), "no result") }
  }

  @Test("Evaluation windows are delivered beside the result, and left out where they are too many to be sent")
  func windows() async throws {
    let files = try Files()
    let runs = Mutex(0)
    var stage = try Stage(files) { (_, _, _, _) throws(CellFailure) in
      let count = runs.withLock { runs in
        runs += 1
        return runs == 1 ? WireProtocol.windowBytes / 16 + 1 : 2
      }
      let losses = Array(repeating: Float(1.5), count: count)
      let corpus = WindowLosses(validation: losses, test: losses)
      var run = CellRun.example(1)
      run.result.windows = ResultWindows(base: [corpus], edited: [[corpus]])
      return run
    }
    let outcomes = try await stage.play([files.cell, files.cell], artefacts: files.artefacts)
    let results = outcomes.compactMap { outcome -> AttemptResult? in
      if case .result(let result) = outcome { result } else { nil }
    }
    let loss: [UInt8] = [0, 0, 0xc0, 0x3f]
    let corpus = loss + loss + loss + loss
    #expect(results.map(\.windows) == [nil, WindowBytes(base: corpus, edited: corpus)])
    #expect(results.first?.result == results.last?.result)
  }

  @Test("The engine's failures are delivered as they are")
  func engineFailures() async throws {
    let files = try Files()
    let kinds = Mutex(CellFailure.Kind.allCases.filter { $0 != .workerLost })
    var stage = try Stage(files) { (_, _, _, _) throws(CellFailure) in
      throw CellFailure(kind: kinds.withLock { $0.removeFirst() }, message: "as the engine says")
    }
    let outcomes = try await stage.play(
      Array(repeating: files.cell, count: CellFailure.Kind.allCases.count - 1), artefacts: files.artefacts)
    #expect(failures(outcomes).map(\.kind) == CellFailure.Kind.allCases.filter { $0 != .workerLost })
    #expect(failures(outcomes).allSatisfy { $0.message == "as the engine says" })
  }
}
