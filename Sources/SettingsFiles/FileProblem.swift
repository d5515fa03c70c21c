public import Foundation

/// What is at a path, as far as it stands in the way of reading a file there.
public enum FileKind {
  /// Nothing.
  case missing
  /// A folder.
  case folder
  /// A file.
  case file

  /// Looks, following symbolic links.
  public init(of url: URL) {
    let path = url.resolvingSymlinksInPath().path
    guard let attributes = try? FileManager.default.attributesOfItem(atPath: path) else {
      self = .missing
      return
    }
    if attributes[.type] as? FileAttributeType == .typeDirectory {
      self = .folder
    } else {
      self = .file
    }
  }
}

/// Why a file cannot be read, in the words of an error message.
public struct FileProblem: CustomStringConvertible {
  /// `no file at ...`.
  public let description: String

  /// Looks at what is at `url` after reading it failed.
  public init(_ url: URL) {
    description =
      switch FileKind(of: url) {
      case .missing: "no file at \(url.path)"
      case .folder: "a folder at \(url.path)"
      case .file: "a file at \(url.path) that may not be read"
      }
  }
}
