public import ContentHash

/// A result as it came from a worker, already known to be the canonical JSON of a ``CellResult``.
public struct DeliveredResult: Sendable, Hashable {
  /// The fingerprint of the cell that was run.
  public let fingerprint: SHA256Digest
  /// The digest of ``result``: two executions of a cell agree exactly when their digests do.
  public let digest: SHA256Digest
  /// Canonical JSON of the ``CellResult``.
  public let result: [UInt8]
  /// Canonical JSON of the ``AttemptReport``.
  public let report: [UInt8]

  /// Takes a result and computes its digest.
  public init(fingerprint: SHA256Digest, result: [UInt8], report: [UInt8]) {
    self.fingerprint = fingerprint
    digest = SHA256Digest(of: result)
    self.result = result
    self.report = report
  }
}
