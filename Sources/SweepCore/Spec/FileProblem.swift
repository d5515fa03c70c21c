internal import Foundation

/// What is at a path, as far as it stands in the way of reading a file there.
enum FileKind {
  /// Nothing.
  case missing
  /// A folder.
  case folder
  /// A file.
  case file

  /// Looks, following symbolic links.
  init(of url: URL) {
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
struct FileProblem: CustomStringConvertible {
  let description: String

  /// Looks at what is at `url` after reading it failed.
  init(_ url: URL) {
    description =
      switch FileKind(of: url) {
      case .missing: "no file at \(url.path)"
      case .folder: "a folder at \(url.path)"
      case .file: "a file at \(url.path) that may not be read"
      }
  }
}
