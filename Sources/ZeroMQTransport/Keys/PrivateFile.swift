internal import Foundation
internal import Glibc

/// Reads and writes small text files that are nobody else's business.
enum PrivateFile {
  /// Tells one content of a file from the next: what `stat` says of it. A file that is replaced by renaming another
  /// over it has another number.
  struct Stamp: Hashable {
    let device: UInt64
    let number: UInt64
    let size: Int64
    let modified: [Int]

    fileprivate init(_ status: stat) {
      device = UInt64(status.st_dev)
      number = UInt64(status.st_ino)
      size = Int64(status.st_size)
      modified = [
        status.st_mtim.tv_sec, status.st_mtim.tv_nsec, status.st_ctim.tv_sec, status.st_ctim.tv_nsec,
      ]
    }
  }

  /// The stamp of the file at a path; `nil` if there is none.
  static func stamp(_ path: String) -> Stamp? {
    var status = stat()
    return unsafe stat(path, &status) == 0 ? Stamp(status) : nil
  }

  /// The largest file that is read: room for some ten thousand keys.
  private static let mostBytes = 4 << 20

  /// The lines of a file.
  ///
  /// - Throws: ``KeyError/exposed(path:mode:)`` if the permissions give anybody but its owner more than `shared`;
  ///   ``KeyError/missing(path:)``; ``KeyError/system(path:operation:reason:)``.
  static func lines(of path: String, shared: mode_t = 0) throws(KeyError) -> [Substring] {
    let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else { throw errno == ENOENT ? .missing(path: path) : failure("read", path) }
    let file = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
    var status = stat()
    guard unsafe fstat(descriptor, &status) == 0 else { throw failure("read", path) }
    guard status.st_mode & S_IFMT == S_IFREG else {
      throw .system(path: path, operation: "read", reason: "it is no regular file")
    }
    let permissions = status.st_mode & 0o7777
    guard permissions & 0o077 & ~shared == 0 else { throw .exposed(path: path, mode: permissions) }
    guard status.st_size <= mostBytes else {
      throw .system(path: path, operation: "read", reason: "it is too large for a file of keys")
    }
    do {
      let content = try file.readToEnd() ?? Data()
      return String(decoding: content, as: UTF8.self).split(separator: "\n", omittingEmptySubsequences: false)
    } catch {
      throw .system(path: path, operation: "read", reason: error.localizedDescription)
    }
  }

  /// Writes a file that only its owner can read and write. It appears whole or not at all, and is on disk afterwards.
  static func write(_ text: String, to path: String) throws(KeyError) {
    let scratch = "\(path).\(getpid()).new"
    unsafe unlink(scratch)
    let descriptor = unsafe open(scratch, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else { throw failure("write", path) }
    let file = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
    do {
      try file.write(contentsOf: Data(text.utf8))
      try file.synchronize()
      try file.close()
    } catch {
      unsafe unlink(scratch)
      throw .system(path: path, operation: "write", reason: error.localizedDescription)
    }
    guard unsafe rename(scratch, path) == 0 else {
      let error = failure("write", path)
      unsafe unlink(scratch)
      throw error
    }
  }

  /// Removes a file, if it is there.
  static func remove(_ path: String) throws(KeyError) {
    guard unsafe unlink(path) == 0 || errno == ENOENT else { throw failure("remove", path) }
  }

  /// Makes a folder that only its owner can use, if it is not there; not those above it.
  static func makeFolder(_ path: String) throws(KeyError) {
    guard unsafe mkdir(path, 0o700) == 0 || errno == EEXIST else { throw failure("make the folder", path) }
  }

  /// Does something while no other process does so for the same folder.
  static func locking<Value>(
    _ folder: String, _ body: () throws(KeyError) -> Value
  ) throws(KeyError) -> Value {
    let descriptor = unsafe open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard descriptor >= 0 else { throw failure("open the folder", folder) }
    defer { close(descriptor) }
    while flock(descriptor, LOCK_EX) != 0 {
      guard errno == EINTR else { throw failure("lock the folder", folder) }
    }
    let value = try body()
    // What was renamed in the folder is on disk as well.
    guard fsync(descriptor) == 0 else { throw failure("write to the folder", folder) }
    return value
  }

  private static func failure(_ operation: String, _ path: String) -> KeyError {
    .system(path: path, operation: operation, reason: unsafe String(cString: strerror(errno)))
  }
}
