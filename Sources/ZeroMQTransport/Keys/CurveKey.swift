internal import CZeroMQ

/// A public key of CURVE, in the 40 characters of Z85 (ZeroMQ RFC 32) that stand for its 32 bytes.
public struct CurvePublicKey: Sendable, Hashable, CustomStringConvertible {
  /// The 40 characters.
  public let description: String

  /// Takes 40 characters of Z85; `nil` for anything else.
  public init?(_ text: some StringProtocol) {
    guard let text = Z85.key(text) else { return nil }
    description = text
  }

  /// The key of 32 bytes; `nil` for any other number of them.
  init?(bytes: [UInt8]) {
    guard bytes.count == Z85.keyBytes else { return nil }
    var text = [CChar](repeating: 0, count: Z85.keyCharacters + 1)
    guard unsafe zmq_z85_encode(&text, bytes, bytes.count) != nil else { return nil }
    description = Z85.text(text)
  }
}

/// A secret key of CURVE. It is not shown by printing it.
public struct CurveSecretKey: Sendable, CustomStringConvertible {
  /// The 40 characters of Z85.
  let text: String

  /// Takes 40 characters of Z85; `nil` for anything else.
  init?(_ text: some StringProtocol) {
    guard let text = Z85.key(text) else { return nil }
    self.text = text
  }

  /// Nothing of the key.
  public var description: String { "a secret key" }
}

/// The two keys of one end.
public struct CurveKeyPair: Sendable {
  /// What others know the end by.
  public let publicKey: CurvePublicKey
  /// What proves that it is the end.
  public let secretKey: CurveSecretKey

  /// Draws a pair of keys.
  ///
  /// - Throws: ``KeyError/unsupported`` where libzmq was built without CURVE.
  public static func make() throws(KeyError) -> CurveKeyPair {
    var publicText = [CChar](repeating: 0, count: Z85.keyCharacters + 1)
    var secretText = publicText
    guard unsafe zmq_curve_keypair(&publicText, &secretText) == 0, let secret = CurveSecretKey(Z85.text(secretText))
    else { throw .unsupported }
    return try CurveKeyPair(secret)
  }

  /// The pair that a secret key belongs to.
  ///
  /// - Throws: ``KeyError/unsupported`` where libzmq was built without CURVE.
  init(_ secret: CurveSecretKey) throws(KeyError) {
    var text = [CChar](repeating: 0, count: Z85.keyCharacters + 1)
    guard unsafe zmq_curve_public(&text, secret.text) == 0, let key = CurvePublicKey(Z85.text(text)) else {
      throw .unsupported
    }
    publicKey = key
    secretKey = secret
  }
}

/// The encoding of keys.
private enum Z85 {
  static let keyBytes = 32
  static let keyCharacters = 40

  /// The text, if it is 40 characters of Z85 that stand for 32 bytes.
  static func key(_ text: some StringProtocol) -> String? {
    guard text.utf8.count == keyCharacters, !text.utf8.contains(0) else { return nil }
    let text = String(text)
    var bytes = [UInt8](repeating: 0, count: keyBytes)
    return unsafe zmq_z85_decode(&bytes, text) != nil ? text : nil
  }

  /// The text that ends at a zero.
  static func text(_ characters: [CChar]) -> String {
    String(decoding: characters.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }
}
