internal import Glibc

/// A file that is written from its beginning to its end, piece by piece. Belongs to one thread.
public final class FileStream {
  /// The path as it was given.
  public let path: String
  private let descriptor: Int32

  /// Creates the file.
  ///
  /// - Parameter replacing: whether one that is there is emptied; it is an error otherwise.
  /// - Throws: ``MappedFileError``.
  public init(path: String, replacing: Bool = false) throws(MappedFileError) {
    self.path = path
    descriptor = unsafe open(path, O_WRONLY | O_CREAT | O_CLOEXEC | (replacing ? O_TRUNC : O_EXCL), 0o666)
    guard descriptor >= 0 else { throw MappedFileError(path: path, operation: "write", code: errno) }
  }

  deinit {
    if descriptor >= 0 { close(descriptor) }
  }

  /// Writes bytes behind what is there.
  ///
  /// - Throws: ``MappedFileError``; a part of them may then be written.
  public func append(_ bytes: [UInt8]) throws(MappedFileError) {
    let failure = unsafe bytes.withUnsafeBytes { unsafe write($0) }
    if let failure { throw failure }
  }

  /// Writes numbers as binary32, little-endian, behind what is there.
  ///
  /// - Throws: ``MappedFileError``; a part of them may then be written.
  public func append(_ numbers: [Float]) throws(MappedFileError) {
    let failure = unsafe numbers.withUnsafeBytes { unsafe write($0) }
    if let failure { throw failure }
  }

  /// Waits until all that was written is on disk.
  ///
  /// - Throws: ``MappedFileError`` if it is not.
  public func finish() throws(MappedFileError) {
    guard fsync(descriptor) == 0 else { throw MappedFileError(path: path, operation: "write", code: errno) }
  }

  private func write(_ bytes: UnsafeRawBufferPointer) -> MappedFileError? {
    var rest = unsafe bytes
    while unsafe !rest.isEmpty {
      let written = unsafe Glibc.write(descriptor, rest.baseAddress, rest.count)
      guard written >= 0 || errno == EINTR else {
        return MappedFileError(path: path, operation: "write", code: errno)
      }
      unsafe rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst(max(written, 0)))
    }
    return nil
  }
}
