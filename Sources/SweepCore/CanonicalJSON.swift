internal import Foundation

/// The canonical form of a value: JSON with sorted keys, no white space, no escaped slashes, `nil` fields left out,
/// and numbers in the shortest form that reads back exactly.
///
/// Equal values have equal canonical forms, so the form can be hashed, stored, sent and compared byte by byte.
public enum CanonicalJSON {
  /// Encodes a value. Traps on a value that JSON cannot hold (an infinite number): such values are refused or
  /// replaced where they arise.
  public static func encode(_ value: some Encodable) -> [UInt8] {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    do {
      return Array(try encoder.encode(value))
    } catch {
      preconditionFailure("\(type(of: value)) has no canonical form: \(error)")
    }
  }

  /// Decodes a value.
  ///
  /// - Throws: `DecodingError` for anything that is not the JSON form of a `Value`.
  public static func decode<Value: Decodable>(_ type: Value.Type = Value.self, from bytes: [UInt8]) throws -> Value {
    try JSONDecoder().decode(Value.self, from: Data(bytes))
  }
}
