internal import CContentHash
internal import CSodium

/// A running SHA-256: of what comes in parts. This is the one place where this target hands pointers to C.
///
/// The processor's own instructions do it where it has them, about six times as fast as libsodium.
public struct SHA256Hasher: Sendable {
  private enum Engine: Sendable {
    case library(crypto_hash_sha256_state)
    case instructions(BlockHasher)
  }

  private var engine: Engine

  /// Whether this processor has instructions for it.
  static let hasInstructions = pdsweep_has_sha256_instructions()

  /// Begins with nothing.
  public init() {
    self.init(usingInstructions: Self.hasInstructions)
  }

  /// Begins with nothing, with or without the processor's instructions.
  init(usingInstructions: Bool) {
    if usingInstructions {
      engine = .instructions(BlockHasher())
    } else {
      var state = crypto_hash_sha256_state()
      unsafe crypto_hash_sha256_init(&state)
      engine = .library(state)
    }
  }

  /// Takes in what comes next.
  public mutating func update(_ bytes: [UInt8]) {
    switch engine {
    case .library(var state):
      unsafe crypto_hash_sha256_update(&state, bytes, UInt64(bytes.count))
      engine = .library(state)
    case .instructions(var hasher):
      // Held once, so that it is changed in place.
      engine = .instructions(BlockHasher.none)
      hasher.update(bytes)
      engine = .instructions(hasher)
    }
  }

  /// The digest of all that was taken in. Nothing can be taken in after it.
  public mutating func finish() -> SHA256Digest {
    switch engine {
    case .library(var state):
      var bytes = [UInt8](repeating: 0, count: Int(crypto_hash_sha256_BYTES))
      unsafe crypto_hash_sha256_final(&state, &bytes)
      guard let digest = SHA256Digest(bytes: bytes) else { preconditionFailure("SHA-256 gave \(bytes.count) bytes") }
      return digest
    case .instructions(var hasher):
      engine = .instructions(BlockHasher.none)
      return hasher.finish()
    }
  }
}

/// SHA-256 by blocks of 64 bytes (FIPS 180-4).
private struct BlockHasher: Sendable {
  private static let blockBytes = 64

  /// The eight words of section 5.3.3, and what has become of them.
  private var state: [UInt32]
  /// What does not fill a block yet.
  private var pending: [UInt8] = []
  private var length: UInt64 = 0

  /// What stands where a hasher was taken from.
  static let none = BlockHasher(state: [])

  init() {
    self.init(state: [
      0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19,
    ])
  }

  private init(state: [UInt32]) {
    self.state = state
  }

  mutating func update(_ bytes: [UInt8]) {
    length += UInt64(bytes.count)
    var rest = bytes[...]
    if !pending.isEmpty {
      let filling = rest.prefix(Self.blockBytes - pending.count)
      pending += filling
      rest = rest.dropFirst(filling.count)
      guard pending.count == Self.blockBytes else { return }
      compress(pending[...])
      pending.removeAll(keepingCapacity: true)
    }
    let whole = rest.count / Self.blockBytes * Self.blockBytes
    compress(rest.prefix(whole))
    pending += rest.dropFirst(whole)
  }

  /// Pads as section 5.1.1 says: a one, zeros, and the length in bits.
  mutating func finish() -> SHA256Digest {
    let bits = length &* 8
    pending.reserveCapacity(2 * Self.blockBytes)
    pending.append(0x80)
    while pending.count % Self.blockBytes != Self.blockBytes - 8 { pending.append(0) }
    for byte in 0..<8 { pending.append(UInt8(truncatingIfNeeded: bits >> (56 - 8 * byte))) }
    compress(pending[...])
    return SHA256Digest(state: state)
  }

  private mutating func compress(_ blocks: ArraySlice<UInt8>) {
    unsafe blocks.withUnsafeBufferPointer { buffer in
      guard let start = buffer.baseAddress, !buffer.isEmpty else { return }
      unsafe pdsweep_sha256_blocks(&state, start, buffer.count / Self.blockBytes)
    }
  }
}
