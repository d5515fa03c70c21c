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

  /// Looks at a file, following symbolic links; `nil` if there is none.
  public init?(path: String) {
    let path = URL(fileURLWithPath: path).resolvingSymlinksInPath().path
    guard let attributes = try? FileManager.default.attributesOfItem(atPath: path),
      attributes[.type] as? FileAttributeType == .typeRegular, let size = attributes[.size] as? Int,
      let changed = attributes[.modificationDate] as? Date, let number = attributes[.systemFileNumber] as? Int
    else { return nil }
    self.init(size: size, changed: changed, number: number)
  }
}
