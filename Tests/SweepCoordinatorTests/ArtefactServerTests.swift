import ContentHash
import Foundation
import Logging
import SweepCore
import SweepWire
import Testing

@testable import SweepCoordinator
@testable import SweepStore

/// Files on disk, read for peers.
@Suite(.timeLimit(.minutes(10))) struct ArtefactServerTests {
  private let folder = FileManager.default.temporaryDirectory.appending(path: "pdsweep-files-\(UUID().uuidString)")
  private let content = (0..<300_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }

  init() throws {
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
  }

  /// Writes a file and takes its digest.
  private func file(_ name: String, _ content: [UInt8]? = nil) throws -> SweepFile {
    let url = folder.appending(path: name)
    try Data(content ?? self.content).write(to: url)
    return SweepFile(
      path: url.path, digest: SHA256Digest(of: content ?? self.content), stamp: try #require(FileStamp(path: url.path)))
  }

  private func remove() {
    try? FileManager.default.removeItem(at: folder)
  }

  @Test("Parts are those of the file, shorter only where it ends, and empty beyond")
  func parts() throws {
    defer { remove() }
    let file = try file("weights")
    var files = ArtefactFiles([file])
    for (offset, count) in [(0, 1), (0, 300_000), (299_999, 1), (1000, 65_536), (0, 1 << 20), (299_990, 500)] {
      let end = min(300_000, offset + count)
      #expect(try files.read(file.digest, from: offset, count: count) == Array(content[offset..<end]))
    }
    for offset in [300_000, 300_001, WireProtocol.artefactBytes] {
      #expect(try files.read(file.digest, from: offset, count: 10) == [])
    }
    #expect(try files.read(file.digest, from: 0, count: 0) == [])
  }

  @Test("Nothing is read but the sweep's files, and those only as long as they are what they were")
  func strangers() throws {
    defer { remove() }
    let secret = try file("secret", [1, 2, 3])
    let file = try file("weights")
    var files = ArtefactFiles([file])
    #expect(throws: ArtefactFiles.Missing.self) { try files.read(secret.digest, from: 0, count: 3) }
    #expect(try files.read(file.digest, from: 0, count: 3).count == 3)

    let url = URL(fileURLWithPath: file.path)
    let changed = try #require(
      FileManager.default.attributesOfItem(atPath: file.path)[.modificationDate] as? Date)
    func expectRefusal(_ what: String, saying words: String) {
      #expect("\(what)") { try files.read(file.digest, from: 0, count: 3) } throws: {
        ($0 as? ArtefactFiles.Missing)?.reason.contains(words) == true
      }
    }
    // Written to, with the old size and date put back: another file stands there.
    try Data(content.reversed()).write(to: url, options: .atomic)
    try FileManager.default.setAttributes([.modificationDate: changed], ofItemAtPath: file.path)
    expectRefusal("replaced", saying: "has changed")
    // A link to something else.
    try FileManager.default.removeItem(at: url)
    try FileManager.default.createSymbolicLink(atPath: file.path, withDestinationPath: secret.path)
    expectRefusal("linked", saying: "has changed")
    try FileManager.default.removeItem(at: url)
    expectRefusal("removed", saying: "is no longer there")
    try FileManager.default.createDirectory(at: url, withIntermediateDirectories: false)
    expectRefusal("a folder", saying: "is no longer there")
  }

  @Test("A file that is written to in place is noticed")
  func writtenTo() throws {
    defer { remove() }
    let file = try file("weights")
    var files = ArtefactFiles([file])
    #expect(try files.read(file.digest, from: 0, count: 3).count == 3)
    let handle = try FileHandle(forWritingTo: URL(fileURLWithPath: file.path))
    try handle.write(contentsOf: Data([9]))
    try handle.close()
    #expect(throws: ArtefactFiles.Missing.self) { try files.read(file.digest, from: 0, count: 3) }
  }

  @Test("A link whose target is exchanged is noticed")
  func exchangedTarget() throws {
    defer { remove() }
    let targets = try (file("one"), file("two"))
    let link = folder.appending(path: "link").path
    try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: targets.0.path)
    let file = SweepFile(path: link, digest: targets.0.digest, stamp: try #require(FileStamp(path: link)))
    var files = ArtefactFiles([file])
    #expect(try files.read(file.digest, from: 0, count: 3).count == 3)
    try FileManager.default.removeItem(atPath: link)
    try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: targets.1.path)
    #expect(throws: ArtefactFiles.Missing.self) { try files.read(file.digest, from: 0, count: 3) }
  }

  @Test("More files than are kept open can be read in any order")
  func manyFiles() throws {
    defer { remove() }
    let all = try (0..<80).map { try file("file\($0)", [UInt8($0), 7]) }
    var files = ArtefactFiles(all)
    for round in 0..<240 {
      let number = round * 37 % 80
      #expect(try files.read(all[number].digest, from: 0, count: 2) == [UInt8(number), 7])
    }
  }

  @Test("Over a transport whole files arrive, whoever else asks for what, and heartbeats are answered")
  func fetching() async throws {
    defer { remove() }
    let files = [try file("weights"), try file("corpus", [UInt8](repeating: 5, count: 70_000))]
    let transport = InMemoryTransport()
    let cells = Fixture.cells(1)
    let store = MemoryStore(storeID: "store")
    var configuration = Fixture.configuration(store)
    // The workers of this test give no signs of life but one.
    configuration.settings.lostAfter = .seconds(3600)
    let coordinator = Coordinator(
      try store.begin(Fixture.sweep(cells), cells: cells), configuration, files: files, store: store,
      transport: transport, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    let run = Task { try await coordinator.run() }
    try await withThrowingTaskGroup { group in
      for number in 0..<6 {
        let worker = transport.connect()
        group.addTask {
          worker.send([Fixture.hello(WorkerID("w\(number)"))])
          var fetch = Fetch(files[number % 2], part: 10_000 + number * 7001)
          // A request for a file that nobody has, and one for nothing at its end.
          worker.send([
            .artefactRequest(ArtefactRequest(digest: SHA256Digest(of: "none"), offset: 0, count: 5, receipt: 0)),
            .artefactRequest(
              ArtefactRequest(digest: files[0].digest, offset: WireProtocol.artefactBytes, count: 9, receipt: 0)),
          ])
          worker.send(fetch.requests(4))
          var missing = 0
          var empty = 0
          var acknowledgements = 0
          for await event in worker.incoming.flat {
            switch event {
            case .message(.artefactChunk(let chunk)) where chunk.content.isEmpty: empty += 1
            case .message(.artefactChunk(let chunk)):
              fetch.take(chunk)
              worker.send(fetch.requests(1))
            case .message(.artefactMissing): missing += 1
            case .message(.welcome): worker.send([.heartbeat([])])
            case .message(.acknowledge): acknowledgements += 1
            case .message, .undecodable, .disconnected, .rejected: break
            }
            if fetch.isWhole, missing == 1, empty == 1, acknowledgements == 1 { break }
          }
          #expect(SHA256Digest(of: fetch.content) == fetch.file.digest)
          worker.abandon()
        }
      }
      try await group.waitForAll()
    }
    run.cancel()
    _ = await run.result
  }
}

/// A file that a worker fetches part by part.
private struct Fetch: Sendable {
  let file: SweepFile
  private let part: Int
  private(set) var content: [UInt8] = []
  private var asked = 0
  private var receipt: UInt64 = 0

  init(_ file: SweepFile, part: Int) {
    self.file = file
    self.part = part
  }

  var isWhole: Bool { content.count == file.size }

  mutating func requests(_ count: Int) -> [FromWorker] {
    var requests: [FromWorker] = []
    while requests.count < count, asked < file.size {
      requests.append(
        .artefactRequest(ArtefactRequest(digest: file.digest, offset: asked, count: part, receipt: receipt)))
      asked += part
    }
    return requests
  }

  mutating func take(_ chunk: ArtefactChunk) {
    // In the order in which they were asked for.
    guard chunk.digest == file.digest, chunk.offset == content.count else { return }
    content += chunk.content
    receipt = chunk.receipt
  }
}
