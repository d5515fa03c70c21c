internal import CTensorKernels
internal import Glibc

/// Writes files so that their paths never name a part of them, whatever happens meanwhile.
public enum FileReplacement {
  /// Puts a file of these bytes at `path`, in place of one that is there. Afterwards it is on disk.
  ///
  /// The bytes go into a temporary file beside it, `PATH.PROCESS.new`, which is synchronised and then renamed.
  ///
  /// - Throws: ``MappedFileError``; what was at `path` is then still there.
  public static func write(_ bytes: [UInt8], to path: String) throws(MappedFileError) {
    let scratch = "\(path).\(getpid()).new"
    do throws(MappedFileError) {
      let stream = try FileStream(path: scratch, replacing: true)
      try stream.append(bytes)
      try stream.finish()
      try move(scratch, to: path)
    } catch {
      unsafe unlink(scratch)
      throw MappedFileError(path: path, operation: error.operation, reason: error.reason)
    }
  }

  /// Gives a file that is on disk the name `path`, in place of one that has it. Both are on one file system.
  ///
  /// - Throws: ``MappedFileError``.
  public static func move(_ scratch: String, to path: String) throws(MappedFileError) {
    guard unsafe rename(scratch, path) == 0 else { throw failure(path) }
    try synchroniseFolder(of: path)
  }

  /// Has two files or folders take each other's names in one step. Both are on one file system.
  ///
  /// - Returns: Whether that was done; not where the file system cannot.
  /// - Throws: ``MappedFileError``; both then have the names that they had.
  public static func exchange(_ one: String, _ other: String) throws(MappedFileError) -> Bool {
    guard unsafe pdsweep_exchange_names(one, other) != 0 else {
      try synchroniseFolder(of: other)
      return true
    }
    guard errno == EINVAL || errno == ENOSYS || errno == EOPNOTSUPP else { throw failure(other) }
    return false
  }

  /// A new name lasts once the folder that holds it is on disk.
  private static func synchroniseFolder(of path: String) throws(MappedFileError) {
    let folder = path.lastIndex(of: "/").map { path[...$0] } ?? "./"
    let descriptor = unsafe open(String(folder), O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard descriptor >= 0 else { throw failure(path) }
    defer { close(descriptor) }
    // Some file systems cannot synchronise folders, and say so.
    guard fsync(descriptor) == 0 || errno == EINVAL else { throw failure(path) }
  }

  private static func failure(_ path: String) -> MappedFileError {
    MappedFileError(path: path, operation: "write", code: errno)
  }
}
