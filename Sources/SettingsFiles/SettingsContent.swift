public import Foundation

/// What a settings file says once it is parsed: a sweep, a recipe.
public protocol SettingsContent {
  /// What such a file is called in error messages: "sweep file".
  static var kind: String { get }

  /// Reads the tree of a file.
  ///
  /// - Throws: the first thing that is wrong with it.
  init(reading root: SettingsNode) throws(SettingsError)
}

extension SettingsContent {
  /// Parses the YAML of a file.
  ///
  /// - Parameters:
  ///   - bytes: the file's content.
  ///   - file: the file's name, for error messages.
  /// - Throws: the first thing that is wrong with it.
  public init(yaml bytes: [UInt8], file: String) throws(SettingsError) {
    try self.init(reading: SettingsDocument.parse(bytes, file: file, kind: Self.kind))
  }

  /// Reads and parses a file.
  ///
  /// - Throws: what is wrong with the file, or the first thing that is wrong with its content.
  public init(contentsOf url: URL) throws(SettingsError) {
    try self.init(reading: SettingsDocument.read(contentsOf: url, kind: Self.kind))
  }
}
