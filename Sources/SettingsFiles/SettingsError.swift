public import Foundation

/// Why a settings file (a sweep file, a recipe), or a file that it names, was refused.
///
/// The ``description`` is one line: where (file, line, column, key path), what was expected, what was found, and
/// what to do.
public struct SettingsError: Error, Sendable, Hashable {
  /// A place in a text file, counted from 1.
  public struct Position: Sendable, Hashable {
    /// The line.
    public var line: Int
    /// The column, in Unicode scalars.
    public var column: Int

    /// Creates a position.
    public init(line: Int, column: Int) {
      self.line = line
      self.column = column
    }
  }

  /// The settings file, as the user named it.
  public var file: String
  /// Where in the file; `nil` where the file as a whole, or a file that it names, is at fault.
  public var position: Position?
  /// The keys that lead to the value: `methods.one-scalar.grid.steps[1]`; empty for the file as a whole.
  public var keyPath: String
  /// What was expected and what was found.
  public var problem: String
  /// What to do about it.
  public var advice: String?

  /// Creates an error.
  public init(file: String, position: Position?, keyPath: String, problem: String, advice: String? = nil) {
    self.file = file
    self.position = position
    self.keyPath = keyPath
    self.problem = problem
    self.advice = advice
  }
}

extension SettingsError: CustomStringConvertible, LocalizedError {
  /// One line for people.
  public var description: String {
    var place = file
    if let position { place += ":\(position.line):\(position.column)" }
    if !keyPath.isEmpty { place += ": \(keyPath)" }
    return Self.onOneLine("\(place): \(problem)" + (advice.map { "; \($0)" } ?? ""))
  }

  /// One line for people.
  public var errorDescription: String? { description }

  /// `text` with control characters and line breaks written as escapes, and cut off after `limit` characters.
  public static func onOneLine(_ text: String, limit: Int = .max) -> String {
    var line = ""
    for (count, character) in text.enumerated() {
      guard count < limit else { return line + "..." }
      for scalar in character.unicodeScalars {
        switch scalar.properties.generalCategory {
        case .control, .lineSeparator, .paragraphSeparator, .format:
          line += scalar.escaped(asASCII: true)
        default:
          line.unicodeScalars.append(scalar)
        }
      }
    }
    return line
  }
}
