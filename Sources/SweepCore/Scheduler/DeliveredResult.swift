public import ContentHash

/// A result as it came from a worker, already known to be the canonical JSON of a ``CellResult``.
public struct DeliveredResult: Sendable, Hashable {
  /// Windows with their digests. Behind a reference: results are handed on from value to value by the thousand a
  /// second, and every byte that they hold in place is copied each time.
  private final class Windows: Sendable, Hashable {
    let bytes: WindowBytes
    let baseDigest: SHA256Digest
    let digest: SHA256Digest

    init(_ bytes: WindowBytes) {
      self.bytes = bytes
      baseDigest = SHA256Digest(of: bytes.base)
      digest = bytes.digest(base: baseDigest)
    }

    static func == (left: Windows, right: Windows) -> Bool { left.bytes == right.bytes }

    func hash(into hasher: inout Hasher) { hasher.combine(digest) }
  }

  /// The fingerprint of the cell that was run.
  public let fingerprint: SHA256Digest
  /// Canonical JSON of the ``CellResult``.
  public let result: [UInt8]
  /// Canonical JSON of the ``AttemptReport``.
  public let report: [UInt8]
  private let numbers: SHA256Digest
  private let read: Windows?

  /// Takes a result and computes its digests.
  public init(fingerprint: SHA256Digest, result: [UInt8], report: [UInt8], windows: WindowBytes? = nil) {
    self.fingerprint = fingerprint
    self.result = result
    self.report = report
    numbers = SHA256Digest(of: result)
    read = windows.map(Windows.init)
  }

  /// What two executions of a cell are compared by.
  public var digest: ResultDigest { ResultDigest(numbers: numbers, windows: read?.digest) }

  /// What every evaluation window read; `nil` where the result came without.
  public var windows: WindowBytes? { read?.bytes }

  /// The digest of the base model's part of ``windows``, which many results share.
  public var baseDigest: SHA256Digest? { read?.baseDigest }
}

/// What a result is recognised by: two executions of a cell agree exactly when their digests do.
public struct ResultDigest: Sendable, Hashable {
  /// Of the result's canonical form.
  public let numbers: SHA256Digest
  /// Of its evaluation windows; `nil` where it came without.
  public let windows: SHA256Digest?

  /// Creates a digest.
  public init(numbers: SHA256Digest, windows: SHA256Digest? = nil) {
    self.numbers = numbers
    self.windows = windows
  }

  /// Whether nothing in one result contradicts the other. One that came without windows, as those of earlier stores
  /// did, says nothing about them.
  public func agrees(with other: ResultDigest) -> Bool {
    guard numbers == other.numbers else { return false }
    guard let windows, let others = other.windows else { return true }
    return windows == others
  }
}

extension WindowBytes {
  /// The digest of both parts: that of the base's digest, 32 bytes, and the edited model's part behind it.
  ///
  /// - Parameter base: The digest of ``base``, where it is known.
  public func digest(base known: SHA256Digest? = nil) -> SHA256Digest {
    SHA256Digest(of: (known ?? SHA256Digest(of: base)).bytes + edited)
  }
}
