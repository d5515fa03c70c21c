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
      try create(scratch, holding: bytes, for: path)
      try move(scratch, to: path)
    } catch {
      unsafe unlink(scratch)
      throw error
    }
  }

  /// Gives a file that is on disk the name `path`, in place of one that has it. Both are on one file system.
  ///
  /// - Throws: ``MappedFileError``.
  public static func move(_ scratch: String, to path: String) throws(MappedFileError) {
    guard unsafe rename(scratch, path) == 0 else { throw failure(path) }
    try synchroniseFolder(of: path)
  }

  /// Writes the temporary file that is to stand at `path`.
  private static func create(
    _ scratch: String, holding bytes: [UInt8], for path: String
  ) throws(MappedFileError) {
    let descriptor = unsafe open(scratch, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o666)
    guard descriptor >= 0 else { throw failure(path) }
    defer { close(descriptor) }
    try write(bytes, to: descriptor, of: path)
    guard fsync(descriptor) == 0 else { throw failure(path) }
  }

  private static func write(_ bytes: [UInt8], to descriptor: Int32, of path: String) throws(MappedFileError) {
    var start = 0
    while start < bytes.count {
      let written = unsafe bytes.withUnsafeBytes { buffer in
        let rest = unsafe UnsafeRawBufferPointer(rebasing: buffer[start...])
        return unsafe Glibc.write(descriptor, rest.baseAddress, rest.count)
      }
      guard written >= 0 || errno == EINTR else { throw failure(path) }
      start += max(written, 0)
    }
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
