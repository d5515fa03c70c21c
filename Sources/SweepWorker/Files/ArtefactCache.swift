internal import ContentHash
public import Foundation
internal import SweepCore
internal import SweepWire

/// Where a worker keeps the files that it fetches.
public struct ArtefactCacheSettings: Sendable, Hashable {
  /// The folder.
  public var folder: URL
  /// Bytes that the files in it may take, those on their way included.
  public var limit: Int

  /// Creates settings.
  public init(folder: URL, limit: Int) {
    self.folder = folder
    self.limit = limit
  }
}

/// A folder of files by their digests, shared by any number of processes of one machine.
///
///     sha256/DIGEST          whole files, found right when they were written, read-only
///     partial/DIGEST.SIZE    files on their way; SIZE is what they will have, and counts already
///     lock/DIGEST            a lock (``CacheLock``): shared by those who use the file, exclusive for who makes or removes it
///     lock/space             held while somebody makes room
///
/// When room is needed the files that were least recently used go first, never one that anybody uses. What a process
/// that was killed left of a file is taken up by the next. Files are looked at when they are first used: a machine that
/// lost power may have kept a name and not the content.
///
/// Confined to one thread; everything blocks.
struct ArtefactCache: Sendable {
  /// A file that this process uses or makes.
  private enum Holding: Sendable {
    case whole(CacheLock)
    case partial(Partial)
  }

  /// A file on its way.
  private struct Partial: Sendable {
    let lock: CacheLock
    let handle: FileHandle
    let path: URL
    let artefact: Artefact
    var hasher: SHA256Hasher
    var written: Int
  }

  private let settings: ArtefactCacheSettings
  private var holdings: [SHA256Digest: Holding] = [:]
  /// Files that have been found right, as they were then.
  private var known: [SHA256Digest: FileStamp] = [:]
  private var manager: FileManager { .default }

  /// Makes the folder, where it is missing, and checks that it can be used.
  ///
  /// - Throws: ``ArtefactCacheError``.
  init(_ settings: ArtefactCacheSettings) throws(ArtefactCacheError) {
    self.settings = settings
    do {
      for name in ["sha256", "partial", "lock"] {
        try manager.createDirectory(
          at: settings.folder.appending(path: name), withIntermediateDirectories: true)
      }
      try CacheLock(lockFile("space")).release()
      let probe = settings.folder.appending(path: "partial/\(UUID().uuidString)")
      try Data().write(to: probe)
      try manager.removeItem(at: probe)
    } catch {
      throw ArtefactCacheError(folder: settings.folder.path, reason: error.systemReason)
    }
  }

  private func wholeFile(_ digest: SHA256Digest) -> URL { settings.folder.appending(path: "sha256/\(digest)") }
  private func lockFile(_ name: String) -> URL { settings.folder.appending(path: "lock/\(name)") }
  private func partialFile(_ artefact: Artefact) -> URL {
    settings.folder.appending(path: "partial/\(artefact.digest).\(artefact.size)")
  }

  // MARK: Obtaining

  /// Finds a file or begins to make it; see ``ArtefactCommand/obtain(_:_:)``.
  mutating func obtain(_ ticket: ArtefactTicket, _ artefact: Artefact) -> ArtefactReport {
    release(artefact.digest)
    guard artefact.size <= settings.limit else {
      return .failed(
        ticket,
        .unfit(
          "\(artefact.role): expected at most \(settings.limit.asBytes), what the worker's cache may hold, found "
            + "\(artefact.size.asBytes); start the worker with a larger --cache-size"))
    }
    do {
      return try find(ticket, artefact)
    } catch {
      release(artefact.digest)
      return .failed(ticket, problem(artefact, error))
    }
  }

  private mutating func find(_ ticket: ArtefactTicket, _ artefact: Artefact) throws -> ArtefactReport {
    let digest = artefact.digest
    let lock = try CacheLock(lockFile(digest.hexadecimal))
    if lock.take(.shared), let file = try check(artefact) {
      return use(ticket, file, lock)
    }
    guard lock.take(.exclusive) else {
      lock.release()
      return .busy(ticket)
    }
    // Somebody may have made it meanwhile.
    if let file = try check(artefact) {
      return lock.take(.shared) ? use(ticket, file, lock) : .busy(ticket)
    }
    let whole = wholeFile(digest)
    if manager.fileExists(atPath: whole.path) { try manager.removeItem(at: whole) }
    if let reason = try makeRoom(for: artefact) {
      lock.release()
      return .noRoom(ticket, reason: reason)
    }
    let partial = try open(artefact, lock)
    holdings[digest] = .partial(partial)
    lock.touch()
    return partial.written < artefact.size ? .absent(ticket, from: partial.written) : try finish(ticket, partial)
  }

  private mutating func use(_ ticket: ArtefactTicket, _ file: LocalArtefact, _ lock: CacheLock) -> ArtefactReport {
    lock.touch()
    holdings[ticket.digest] = .whole(lock)
    return .ready(ticket, file)
  }

  /// The whole file, if it is there and right.
  private mutating func check(_ artefact: Artefact) throws -> LocalArtefact? {
    let path = wholeFile(artefact.digest)
    guard let stamp = FileStamp(path: path.path), stamp.size == artefact.size else { return nil }
    if known[artefact.digest] != stamp {
      guard try SHA256Digest(ofFile: path) == artefact.digest else { return nil }
      known[artefact.digest] = stamp
    }
    return LocalArtefact(artefact: artefact, path: path.path, stamp: stamp)
  }

  /// Opens what is there of a file and takes it up.
  private func open(_ artefact: Artefact, _ lock: CacheLock) throws -> Partial {
    let path = partialFile(artefact)
    let handle = try FileHandle(forUpdating: path)
    _ = fcntl(handle.fileDescriptor, F_SETFD, FD_CLOEXEC)
    var partial = Partial(
      lock: lock, handle: handle, path: path, artefact: artefact, hasher: SHA256Hasher(), written: 0)
    while let bytes = try handle.read(upToCount: 1 << 20), !bytes.isEmpty {
      partial.hasher.update(Array(bytes))
      partial.written += bytes.count
    }
    if partial.written > artefact.size {
      try handle.truncate(atOffset: 0)
      partial.hasher = SHA256Hasher()
      partial.written = 0
    }
    return partial
  }

  // MARK: Writing

  /// Appends a part; see ``ArtefactCommand/write(_:offset:_:)``. What does not follow is passed over: the file was given
  /// up before.
  mutating func write(_ ticket: ArtefactTicket, offset: Int, _ bytes: [UInt8]) -> ArtefactReport? {
    guard case .partial(var partial)? = holdings[ticket.digest], partial.written == offset,
      offset + bytes.count <= partial.artefact.size
    else { return nil }
    do {
      try partial.handle.write(contentsOf: bytes)
      partial.hasher.update(bytes)
      partial.written += bytes.count
      holdings[ticket.digest] = .partial(partial)
      return partial.written < partial.artefact.size
        ? .written(ticket, upTo: partial.written) : try finish(ticket, partial)
    } catch {
      // Nothing half-written stays in the way of others.
      try? manager.removeItem(at: partial.path)
      release(ticket.digest)
      return .failed(ticket, problem(partial.artefact, error))
    }
  }

  /// Checks a file that has been written to its end and gives it its name.
  private mutating func finish(_ ticket: ArtefactTicket, _ partial: Partial) throws -> ArtefactReport {
    var hasher = partial.hasher
    let found = hasher.finish()
    guard found == ticket.digest else {
      try? manager.removeItem(at: partial.path)
      release(ticket.digest)
      return .corrupt(ticket, found: found)
    }
    try partial.handle.close()
    let path = wholeFile(ticket.digest)
    try manager.setAttributes([.posixPermissions: 0o444], ofItemAtPath: partial.path.path)
    try manager.moveItem(at: partial.path, to: path)
    guard let stamp = FileStamp(path: path.path) else { throw CocoaError(.fileReadNoSuchFile) }
    known[ticket.digest] = stamp
    guard partial.lock.take(.shared) else {
      release(ticket.digest)
      return .busy(ticket)
    }
    return use(ticket, LocalArtefact(artefact: partial.artefact, path: path.path, stamp: stamp), partial.lock)
  }

  // MARK: Letting go

  /// Lets a file go; what is there of it stays.
  mutating func release(_ digest: SHA256Digest) {
    switch holdings.removeValue(forKey: digest) {
    case .whole(let lock)?:
      lock.touch()
      lock.release()
    case .partial(let partial)?:
      try? partial.handle.close()
      partial.lock.release()
    case nil: break
    }
  }

  // MARK: Room

  /// A file that may go.
  private struct Candidate {
    var digest: String
    var path: URL
    var size: Int
    var used: Date
  }

  /// Makes room for a file and takes it. Returns why there is none, if there is none.
  private func makeRoom(for artefact: Artefact) throws -> String? {
    let space = try CacheLock(lockFile("space"))
    defer { space.release() }
    space.wait()
    let own = artefact.digest.hexadecimal
    let mine = partialFile(artefact)
    for other in try partials() where other.digest == own && other.path.lastPathComponent != mine.lastPathComponent {
      try manager.removeItem(at: other.path)
    }
    var others = (try wholes() + partials()).filter { $0.digest != own }.sorted { $0.used < $1.used }
    let there = FileStamp(path: mine.path)?.size ?? 0
    while true {
      let taken = others.reduce(0) { $0 + $1.size }
      let free = try freeBytes()
      if taken + artefact.size <= settings.limit, artefact.size - there <= free { break }
      guard try evictFirst(of: &others) else {
        if taken + artefact.size > settings.limit {
          return "expected \(artefact.size.asBytes) of room in \(settings.folder.path), found \(taken.asBytes) of the "
            + "\(settings.limit.asBytes) that it may hold in use; start the worker with a larger --cache-size"
        }
        return "expected \((artefact.size - there).asBytes) free on the disk of \(settings.folder.path), found "
          + "\(free.asBytes); make room there, or start the worker with another --cache"
      }
    }
    if !manager.fileExists(atPath: mine.path) { try Data().write(to: mine, options: .withoutOverwriting) }
    return nil
  }

  /// Removes the first file that nobody uses; `false` if there is none.
  private func evictFirst(of candidates: inout [Candidate]) throws -> Bool {
    for index in candidates.indices {
      let lock = try CacheLock(lockFile(candidates[index].digest))
      defer { lock.release() }
      guard lock.take(.exclusive) else { continue }
      try manager.removeItem(at: candidates[index].path)
      candidates.remove(at: index)
      return true
    }
    return false
  }

  private func wholes() throws -> [Candidate] {
    try names(in: "sha256").map { name in
      let path = settings.folder.appending(path: "sha256/\(name)")
      return Candidate(digest: name, path: path, size: FileStamp(path: path.path)?.size ?? 0, used: lastUse(name))
    }
  }

  private func partials() throws -> [Candidate] {
    try names(in: "partial").map { name in
      let parts = name.split(separator: ".")
      let digest = String(parts.first ?? "")
      return Candidate(
        digest: digest, path: settings.folder.appending(path: "partial/\(name)"),
        size: parts.last.flatMap { Int($0) } ?? 0, used: lastUse(digest))
    }
  }

  /// Files whose names begin with a digest: whatever else somebody put there is not ours to remove.
  private func names(in folder: String) throws -> [String] {
    try manager.contentsOfDirectory(atPath: settings.folder.appending(path: folder).path).filter {
      SHA256Digest(hexadecimal: String($0.prefix(64))) != nil
    }
  }

  private func lastUse(_ digest: String) -> Date {
    let attributes = try? manager.attributesOfItem(atPath: lockFile(digest).path)
    return attributes?[.modificationDate] as? Date ?? .distantPast
  }

  private func freeBytes() throws -> Int {
    let attributes = try manager.attributesOfFileSystem(forPath: settings.folder.path)
    return (attributes[.systemFreeSize] as? NSNumber)?.intValue ?? .max
  }

  private func problem(_ artefact: Artefact, _ error: any Error) -> CellFailure {
    .unfit(
      "\(artefact.role): cannot be kept in \(settings.folder.path): \(error.systemReason); check the disk and the "
        + "folder, or start the worker with another --cache")
  }
}

/// A folder cannot be a cache.
public struct ArtefactCacheError: Error, Sendable, CustomStringConvertible {
  /// The folder.
  public let folder: String
  /// What the system says.
  public let reason: String

  /// One line for people.
  public var description: String {
    "--cache \(folder): expected a folder that can be written to: \(reason); name another"
  }
}
