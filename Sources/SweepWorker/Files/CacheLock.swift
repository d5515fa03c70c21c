internal import Foundation
internal import Glibc

/// An advisory lock on one file of a cache, held against other processes and other holders in this one. The kernel
/// releases it when its holder dies, however that happens.
///
/// The lock is on a file of its own that is never removed: whoever locks a file that another unlinks holds nothing. That
/// file's time of change says when the cached file was last used.
struct CacheLock: Sendable {
  /// How a lock is held.
  enum Mode: Sendable {
    /// The file stays as it is.
    case shared
    /// The file may be made or removed.
    case exclusive
  }

  private let handle: FileHandle
  private let path: String

  /// Opens the lock of a file without taking it.
  ///
  /// - Throws: what the system says.
  init(_ file: URL) throws {
    path = file.path
    // Fails where the file exists, which is as good.
    let creation = Result { try Data().write(to: file, options: .withoutOverwriting) }
    do {
      handle = try FileHandle(forUpdating: file)
    } catch {
      if !FileManager.default.fileExists(atPath: path) { try creation.get() }
      throw error
    }
    // Engines must not inherit it.
    _ = fcntl(handle.fileDescriptor, F_SETFD, FD_CLOEXEC)
  }

  /// Takes the lock in a mode, giving up another; `false` if others hold it. What was held is lost then too.
  func take(_ mode: Mode) -> Bool {
    let operation = mode == .shared ? LOCK_SH : LOCK_EX
    while flock(handle.fileDescriptor, operation | LOCK_NB) != 0 {
      guard errno == EINTR else { return false }
    }
    return true
  }

  /// Takes the lock exclusively, waiting for others, who hold it for a moment only.
  func wait() {
    while flock(handle.fileDescriptor, LOCK_EX) != 0, errno == EINTR {}
  }

  /// Notes that the file is in use now.
  func touch() {
    try? FileManager.default.setAttributes([.modificationDate: Date()], ofItemAtPath: path)
  }

  /// Gives the lock back.
  func release() {
    try? handle.close()
  }
}
