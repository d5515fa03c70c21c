internal import Glibc

/// A regular file as its file system knows it. While this stays the same, so does a digest of the content.
///
/// One call to the system: whoever hands out and runs cells by the thousand looks at their files each time.
public struct FileStatus: Sendable, Hashable {
  /// Bytes.
  public let size: Int
  /// When the content was last changed, seconds since 1970.
  public let changed: Double
  /// The number of the file in its file system.
  public let number: Int

  /// Looks at a file, following symbolic links; `nil` if there is no regular file.
  public init?(path: String) {
    var status = stat()
    guard unsafe stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return nil }
    size = Int(status.st_size)
    changed = Double(status.st_mtim.tv_sec) + Double(status.st_mtim.tv_nsec) * 1e-9
    number = Int(UInt64(status.st_ino) & UInt64(Int.max))
  }
}
