import ContentHash
import Foundation
import SweepCore
import SweepWire
import TestSupport
import Testing

@testable import SweepWorker

/// The cache, with real files. Two caches on one folder are as two processes: locks are of open files, not of processes.
@Suite struct ArtefactCacheTests {
  /// A folder, removed with the value, and files that a coordinator would have.
  private final class Place {
    let folder = FileManager.default.temporaryDirectory.appending(path: "cache-\(UUID().uuidString)")
    private var tickets = 0

    deinit {
      try? FileManager.default.removeItem(at: folder)
    }

    func cache(limit: Int = 1 << 30) throws -> ArtefactCache {
      try ArtefactCache(ArtefactCacheSettings(folder: folder, limit: limit))
    }

    func content(_ name: String, _ size: Int) -> [UInt8] {
      var random = SeededGenerator(seed: UInt64(name.utf8.reduce(0) { $0 * 31 + Int($1) }))
      return (0..<size).map { _ in UInt8.random(in: 0...255, using: &random) }
    }

    func need(_ name: String, _ size: Int) -> (ticket: ArtefactTicket, artefact: Artefact, content: [UInt8]) {
      tickets += 1
      let content = content(name, size)
      let artefact = Artefact(digest: SHA256Digest(of: content), role: name, name: name, size: size)
      return (ArtefactTicket(digest: artefact.digest, number: tickets), artefact, content)
    }

    func names(_ folder: String) throws -> [String] {
      try FileManager.default.contentsOfDirectory(atPath: self.folder.appending(path: folder).path).sorted()
    }

    func file(_ artefact: Artefact) -> URL { folder.appending(path: "sha256/\(artefact.digest)") }

    func partial(_ artefact: Artefact) -> URL { folder.appending(path: "partial/\(artefact.digest).\(artefact.size)") }
  }

  /// Obtains a file and writes what it lacks, in parts.
  private func fetch(
    _ need: (ticket: ArtefactTicket, artefact: Artefact, content: [UInt8]), _ cache: inout ArtefactCache,
    part: Int = 1000
  ) -> ArtefactReport? {
    var report: ArtefactReport? = cache.obtain(need.ticket, need.artefact)
    guard case .absent(_, var offset)? = report else { return report }
    while offset < need.artefact.size {
      let end = min(offset + part, need.artefact.size)
      report = cache.write(need.ticket, offset: offset, Array(need.content[offset..<end]))
      offset = end
    }
    return report
  }

  @Test("A file is written in parts, found right, and stays for the next time")
  func fetching() throws {
    let place = Place()
    let need = place.need("weights", 10_500)
    var cache = try place.cache()
    #expect(cache.obtain(need.ticket, need.artefact) == .absent(need.ticket, from: 0))
    #expect(
      cache.write(need.ticket, offset: 0, Array(need.content[..<10_000])) == .written(need.ticket, upTo: 10_000))
    #expect(try place.names("sha256").isEmpty)
    let report = cache.write(need.ticket, offset: 10_000, Array(need.content[10_000...]))
    guard case .ready(need.ticket, let file)? = report else {
      return #expect(Bool(false), "\(String(describing: report))")
    }
    #expect(file.path == place.file(need.artefact).path && file.artefact == need.artefact)
    #expect(file.stamp == FileStamp(path: file.path))
    #expect(try Array(Data(contentsOf: place.file(need.artefact))) == need.content)
    #expect(try place.names("partial").isEmpty)
    cache.release(need.ticket.digest)
    var another = try place.cache()
    #expect(another.obtain(need.ticket, need.artefact) == .ready(need.ticket, file))
  }

  @Test("A file is taken up where it was left, by whoever comes next")
  func resuming() throws {
    let place = Place()
    let need = place.need("weights", 10_000)
    var first = try place.cache()
    _ = first.obtain(need.ticket, need.artefact)
    _ = first.write(need.ticket, offset: 0, Array(need.content[..<7000]))
    first.release(need.ticket.digest)
    var second = try place.cache()
    #expect(second.obtain(need.ticket, need.artefact) == .absent(need.ticket, from: 7000))
    guard case .ready? = second.write(need.ticket, offset: 7000, Array(need.content[7000...])) else {
      return #expect(Bool(false), "not ready")
    }
    // One that was left complete but not yet looked at is looked at.
    let other = place.need("corpus", 5000)
    _ = second.obtain(other.ticket, other.artefact)
    second.release(other.ticket.digest)
    try Data(other.content).write(to: place.partial(other.artefact))
    guard case .ready = second.obtain(other.ticket, other.artefact) else { return #expect(Bool(false), "not ready") }
  }

  @Test("A file with another digest is thrown away")
  func corruption() throws {
    let place = Place()
    let need = place.need("weights", 1000)
    var cache = try place.cache()
    _ = cache.obtain(need.ticket, need.artefact)
    let noise = [UInt8](repeating: 7, count: 1000)
    #expect(
      cache.write(need.ticket, offset: 0, noise) == .corrupt(need.ticket, found: SHA256Digest(of: noise)))
    #expect(try place.names("partial").isEmpty && place.names("sha256").isEmpty)
    #expect(cache.obtain(need.ticket, need.artefact) == .absent(need.ticket, from: 0))
  }

  @Test("A file of the cache that was damaged is not used, however it was damaged", arguments: [false, true])
  func damage(sameSize: Bool) throws {
    let place = Place()
    let need = place.need("weights", 1000)
    var cache = try place.cache()
    _ = fetch(need, &cache)
    let file = place.file(need.artefact)
    try FileManager.default.removeItem(at: file)
    try Data(repeating: 7, count: sameSize ? 1000 : 500).write(to: file)
    // Also by the one that knows it.
    #expect(cache.obtain(need.ticket, need.artefact) == .absent(need.ticket, from: 0))
    cache.release(need.ticket.digest)
    var another = try place.cache()
    guard case .ready? = fetch(need, &another) else { return #expect(Bool(false), "not ready") }
    #expect(try Array(Data(contentsOf: file)) == need.content)
  }

  @Test("Parts that leave a gap, go beyond the end or come for a file given up are passed over")
  func stray() throws {
    let place = Place()
    let need = place.need("weights", 1000)
    var cache = try place.cache()
    #expect(cache.write(need.ticket, offset: 0, [1]) == nil)
    _ = cache.obtain(need.ticket, need.artefact)
    #expect(cache.write(need.ticket, offset: 5, [1]) == nil)
    #expect(cache.write(need.ticket, offset: 0, [UInt8](repeating: 1, count: 1001)) == nil)
    cache.release(need.ticket.digest)
    #expect(cache.write(need.ticket, offset: 0, Array(need.content)) == nil)
    #expect(FileStamp(path: place.partial(need.artefact).path)?.size == 0)
  }

  @Test("What another process fetches is waited for, and then shared")
  func twoProcesses() throws {
    let place = Place()
    let need = place.need("weights", 2000)
    var (first, second) = (try place.cache(), try place.cache())
    #expect(first.obtain(need.ticket, need.artefact) == .absent(need.ticket, from: 0))
    #expect(second.obtain(need.ticket, need.artefact) == .busy(need.ticket))
    _ = first.write(need.ticket, offset: 0, Array(need.content[..<1000]))
    #expect(second.obtain(need.ticket, need.artefact) == .busy(need.ticket))
    guard case .ready? = first.write(need.ticket, offset: 1000, Array(need.content[1000...])),
      case .ready = second.obtain(need.ticket, need.artefact)
    else { return #expect(Bool(false), "not ready") }
  }

  @Test("When room is needed, what was used longest ago goes first, and nothing that anybody uses")
  func eviction() throws {
    let place = Place()
    var (user, cache) = (try place.cache(limit: 3500), try place.cache(limit: 3500))
    let needs = ["a", "b", "c", "d", "e", "f"].map { place.need($0, 1000) }
    let digests = needs.map { "\($0.artefact.digest)" }
    _ = fetch(needs[0], &user)
    for need in needs[1...2] {
      _ = fetch(need, &cache)
      cache.release(need.ticket.digest)
    }
    // b is older than c, but is used again; a is the oldest, and in use.
    let lock = { (index: Int) in place.folder.appending(path: "lock/\(digests[index])").path }
    for (index, age) in [(0, 500.0), (1, 400), (2, 300)] {
      try FileManager.default.setAttributes([.modificationDate: Date() - age], ofItemAtPath: lock(index))
    }
    guard case .ready = cache.obtain(needs[1].ticket, needs[1].artefact) else { return #expect(Bool(false), "no b") }
    cache.release(needs[1].ticket.digest)
    guard case .ready? = fetch(needs[3], &cache) else { return #expect(Bool(false), "no d") }
    #expect(try Set(place.names("sha256")) == Set([digests[0], digests[1], digests[3]]))
    // d is in use, too: b goes, and then there is no room until one of them is let go.
    guard case .ready? = fetch(needs[4], &user) else { return #expect(Bool(false), "no e") }
    #expect(try Set(place.names("sha256")) == Set([digests[0], digests[3], digests[4]]))
    let report = fetch(needs[5], &cache)
    guard case .noRoom(needs[5].ticket, let reason)? = report else {
      return #expect(Bool(false), "\(String(describing: report))")
    }
    #expect(reason.hasPrefix("expected 1000 bytes of room in \(place.folder.path), found 2.9 KiB of the 3.4 KiB"))
    user.release(needs[0].ticket.digest)
    guard case .ready? = fetch(needs[5], &cache) else { return #expect(Bool(false), "no f") }
    #expect(try Set(place.names("sha256")) == Set(digests[3...]))
  }

  @Test("Files on their way count with the size that they will have, and are left for others when there is room")
  func partialsCount() throws {
    let place = Place()
    var (first, second) = (try place.cache(limit: 2500), try place.cache(limit: 2500))
    let (a, b) = (place.need("a", 1500), place.need("b", 1500))
    #expect(first.obtain(a.ticket, a.artefact) == .absent(a.ticket, from: 0))
    guard case .noRoom = second.obtain(b.ticket, b.artefact) else { return #expect(Bool(false), "there was room") }
    // Whoever fetched it is gone: it gives way.
    first.release(a.ticket.digest)
    #expect(second.obtain(b.ticket, b.artefact) == .absent(b.ticket, from: 0))
    #expect(try place.names("partial") == ["\(b.artefact.digest).1500"])
  }

  @Test("A file larger than the cache may be is refused, and says what to do")
  func tooLarge() throws {
    let place = Place()
    var cache = try place.cache(limit: 1 << 20)
    let artefact = Artefact(digest: SHA256Digest(of: "x"), role: "weights", name: "model", size: (1 << 20) + 1)
    guard case .failed(_, let failure) = cache.obtain(ArtefactTicket(digest: artefact.digest, number: 1), artefact)
    else {
      return #expect(Bool(false), "it was not refused")
    }
    #expect(failure.kind == .workerUnfit)
    #expect(failure.message.contains("expected at most 1.0 MiB") && failure.message.contains("--cache-size"))
  }

  @Test("A folder that cannot be a cache is refused with its name")
  func unusable() throws {
    let place = Place()
    try Data().write(to: place.folder)
    #expect(throws: ArtefactCacheError.self) { try place.cache() }
    do {
      _ = try place.cache()
    } catch {
      #expect("\(error)".hasPrefix("--cache \(place.folder.path): expected a folder that can be written to"))
    }
  }

  @Test("Whatever else lies in the folder is left alone")
  func strangers() throws {
    let place = Place()
    var cache = try place.cache(limit: 1500)
    try Data("mine".utf8).write(to: place.folder.appending(path: "sha256/notes.txt"))
    let (a, b) = (place.need("a", 1000), place.need("b", 1000))
    _ = fetch(a, &cache)
    cache.release(a.ticket.digest)
    guard case .ready? = fetch(b, &cache) else { return #expect(Bool(false), "not ready") }
    #expect(try place.names("sha256") == ["\(b.artefact.digest)", "notes.txt"].sorted())
  }

  /// A file system of its own and of so many bytes; `nil` where this process may not mount one.
  private final class SmallDisk {
    let folder: URL

    init?(bytes: Int) throws {
      folder = FileManager.default.temporaryDirectory.appending(path: "disk-\(UUID().uuidString)")
      try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
      guard try Self.run(["mount", "-t", "tmpfs", "-o", "size=\(bytes)", "tmpfs", folder.path]) else { return nil }
    }

    deinit {
      _ = try? Self.run(["umount", folder.path])
      try? FileManager.default.removeItem(at: folder)
    }

    private static func run(_ arguments: [String]) throws -> Bool {
      let process = Process()
      process.executableURL = URL(filePath: "/usr/bin/env")
      process.arguments = arguments
      process.standardError = FileHandle.nullDevice
      try process.run()
      process.waitUntilExit()
      return process.terminationStatus == 0
    }
  }

  @Test("A full disk costs the file that does not fit, leaves nothing of it behind, and says what to do")
  func fullDisk() throws {
    guard let disk = try SmallDisk(bytes: 1 << 20) else {
      return print("NOTICE: no file system can be mounted here; the test of a full disk is passed over")
    }
    let place = Place()
    var cache = try ArtefactCache(ArtefactCacheSettings(folder: disk.folder, limit: 1 << 30))
    let (small, large) = (place.need("small", 100_000), place.need("large", 900_000))
    guard case .ready? = fetch(small, &cache) else { return #expect(Bool(false), "not ready") }
    #expect(cache.obtain(large.ticket, large.artefact) == .absent(large.ticket, from: 0))
    // Somebody else fills the disk meanwhile.
    try Data(repeating: 1, count: 500_000).write(to: disk.folder.appending(path: "other"))
    var (offset, report) = (0, Optional<ArtefactReport>.none)
    while offset < 900_000 {
      report = cache.write(large.ticket, offset: offset, Array(large.content[offset..<offset + 50_000]))
      offset += 50_000
      if case .written? = report { continue }
      break
    }
    guard case .failed(large.ticket, let failure)? = report else {
      return #expect(Bool(false), "\(String(describing: report))")
    }
    #expect(failure.kind == .workerUnfit)
    #expect(failure.message.contains("No space left on device") && failure.message.contains("--cache"))
    let partials = try FileManager.default.contentsOfDirectory(
      atPath: disk.folder.appending(path: "partial").path)
    #expect(partials.isEmpty)
    // What was there can be used, and what cannot be written is known before it is asked for.
    guard case .ready = cache.obtain(small.ticket, small.artefact),
      case .noRoom(_, let reason) = cache.obtain(large.ticket, large.artefact)
    else { return #expect(Bool(false), "the cache is of no use any more") }
    #expect(reason.hasPrefix("expected 878.9 KiB free on the disk of \(disk.folder.path), found "))
  }
}
