internal import ContentHash
public import Foundation

/// What changes when somebody writes to a file, or puts another in its place.
public struct FileStamp: Sendable, Hashable {
  /// Bytes.
  public var size: Int
  /// When the content was last changed.
  public var changed: Date
  /// The number of the file in its file system.
  public var number: Int

  /// Creates a stamp.
  public init(size: Int, changed: Date, number: Int) {
    self.size = size
    self.changed = changed
    self.number = number
  }

  /// Looks at a file, following symbolic links; `nil` if there is no regular file.
  public init?(path: String) {
    guard let status = FileStatus(path: path) else { return nil }
    self.init(size: status.size, changed: Date(timeIntervalSince1970: status.changed), number: status.number)
  }
}
