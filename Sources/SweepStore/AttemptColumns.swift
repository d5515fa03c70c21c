internal import ContentHash
internal import Foundation
internal import SweepCore

/// How an attempt's end is written in the columns `outcome`, `reason` and `message`.
struct AttemptColumns {
  var outcome: String?
  var reason: String?
  var message: String?

  init(outcome: String?, reason: String?, message: String?) {
    self.outcome = outcome
    self.reason = reason
    self.message = message
  }

  init(_ end: AttemptEnd) {
    switch end {
    case .duplicate: self.init(outcome: "duplicate", reason: nil, message: nil)
    case .failed(let failure): self.init(outcome: "failed", reason: failure.kind.rawValue, message: failure.message)
    case .lost(let loss, let message): self.init(outcome: "lost", reason: loss.rawValue, message: message)
    case .revoked: self.init(outcome: "revoked", reason: nil, message: nil)
    case .takenBack: self.init(outcome: "taken-back", reason: nil, message: nil)
    }
  }

  /// What the columns say.
  ///
  /// - Throws: ``StoreError/damaged(path:detail:)``.
  func standing(path: String) throws(StoreError) -> Scheduler.StoredStanding {
    switch outcome {
    case nil: return .open
    case "completed": return .delivered
    case "fault": return .differed
    case "duplicate": return .ended(.duplicate)
    case "revoked": return .ended(.revoked)
    case "taken-back": return .ended(.takenBack)
    case "failed":
      if let failure { return .ended(.failed(failure)) }
    case "lost":
      if let loss = reason.flatMap(LeaseLoss.init) { return .ended(.lost(loss, message: message ?? "")) }
    default: break
    }
    throw .damaged(path: path, detail: "an attempt ended as \(outcome ?? "") for \(reason ?? "no reason")")
  }

  /// The failure that the attempt or cell ended with; `nil` where it did not fail.
  var failure: CellFailure? {
    guard let reason else { return nil }
    if let kind = CellFailure.Kind(rawValue: reason) { return CellFailure(kind: kind, message: message ?? "") }
    return LeaseLoss(rawValue: reason).map { _ in CellFailure(kind: .workerLost, message: message ?? "") }
  }
}

extension SHA256Digest {
  /// The digest's 32 bytes.
  var blob: Data { Data(bytes) }

  /// Reads the digest's 32 bytes.
  init(blob: Data, path: String) throws(StoreError) {
    guard let digest = SHA256Digest(bytes: Array(blob)) else {
      throw .damaged(path: path, detail: "expected a digest of 32 bytes, found \(blob.count)")
    }
    self = digest
  }
}
