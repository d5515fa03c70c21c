internal import Foundation
internal import Glibc

/// Keeps a store to one coordinator: an advisory lock on a file beside it. The kernel releases it when its holder
/// dies, however that happens. Readers do not ask for it.
///
/// The lock file is never removed: whoever locks a file that another unlinks holds nothing.
final class StoreLock: Sendable {
  private let handle: FileHandle

  /// Takes the lock.
  ///
  /// - Throws: ``StoreError/inUse(path:holder:)`` or ``StoreError/noAccess(path:detail:)``.
  init(of store: String) throws(StoreError) {
    let file = Self.file(of: store)
    // Fails where the file exists, which is as good.
    let creation = Result { try Data().write(to: file, options: .withoutOverwriting) }
    do {
      handle = try FileHandle(forUpdating: file)
    } catch let opening {
      let isThere = FileManager.default.fileExists(atPath: file.path)
      var reason = opening
      if case .failure(let error) = creation, !isThere { reason = error }
      throw .noAccess(path: file.path, detail: reason.localizedDescription)
    }
    // Worker processes that the coordinator starts must not inherit the lock.
    guard fcntl(handle.fileDescriptor, F_SETFD, FD_CLOEXEC) == 0 else {
      throw .failed(path: file.path, detail: "the lock cannot be kept from child processes (errno \(errno))")
    }
    // Not everybody who has the lock is a coordinator: whoever asks for its holder has it for a moment, and so does a
    // process that a coordinator forked just before it died, until it becomes another program.
    var patience = 50
    while flock(handle.fileDescriptor, LOCK_EX | LOCK_NB) != 0 {
      guard errno == EWOULDBLOCK || errno == EINTR else {
        throw .noAccess(path: file.path, detail: "the file cannot be locked (errno \(errno))")
      }
      guard patience > 0 else { throw .inUse(path: store, holder: Self.text(of: file)) }
      patience -= 1
      Thread.sleep(forTimeInterval: 0.02)
    }
    let process = ProcessInfo.processInfo
    // Only for people: the lock holds without it, say on a full disk.
    try? handle.truncate(atOffset: 0)
    try? handle.write(contentsOf: Data("process \(process.processIdentifier) on \(process.hostName)\n".utf8))
  }

  /// Who has the lock; `nil` if nobody has.
  static func holder(of store: String) -> String? {
    let file = file(of: store)
    guard let handle = try? FileHandle(forReadingFrom: file) else { return nil }
    defer { try? handle.close() }
    guard flock(handle.fileDescriptor, LOCK_SH | LOCK_NB) != 0, errno == EWOULDBLOCK else { return nil }
    return text(of: file)
  }

  /// The lock file: the same whatever links lead to the store.
  private static func file(of store: String) -> URL {
    let store = URL(fileURLWithPath: store)
    let folder = store.deletingLastPathComponent().resolvingSymlinksInPath()
    let file = folder.appendingPathComponent(store.lastPathComponent).resolvingSymlinksInPath()
    return URL(fileURLWithPath: file.path + ".lock")
  }

  private static func text(of file: URL) -> String {
    let text = (try? String(contentsOf: file, encoding: .utf8))?.split(separator: "\n").first.map(String.init)
    return text ?? "another process"
  }
}
