public import Foundation
internal import GRDB
internal import SweepCore

extension SweepStore {
  /// Writes a batch in one transaction. When it returns, all of it is on disk; when it throws, none of it.
  ///
  /// Not cancellable: a transaction under way is not worth less because somebody stopped waiting.
  ///
  /// - Throws: ``StoreError``.
  public func commit(
    _ batch: StoreBatch, in places: CellPlaces, at time: Date
  ) async throws(StoreError) {
    guard !batch.isEmpty else { return }
    let now = time.milliseconds
    let result: Result<Void, any Error> = await withCheckedContinuation { [path] continuation in
      database.asyncWrite(
        { connection in
          var writer = BatchWriter(connection, path: path, places, at: now)
          for write in batch.writes { try writer.perform(write) }
          try writer.writeGathered()
          for request in batch.settled { try writer.settle(request) }
        },
        completion: { _, result in continuation.resume(returning: result) })
    }
    try translating(path: path) { try result.get() }
  }

  /// The requests that no coordinator has taken up, oldest first.
  ///
  /// - Throws: ``StoreError``.
  public func openRequests() async throws(StoreError) -> [StoreRequest] {
    let result: Result<[StoreRequest], any Error> = await withCheckedContinuation { [path] continuation in
      database.asyncWriteWithoutTransaction { connection in
        continuation.resume(returning: Result { try StoreRequest.open(in: connection, path: path) })
      }
    }
    return try translating(path: path) { try result.get() }
  }

  /// Leaves a request for the coordinator; see ``SweepKeeper/enter(_:for:at:)``.
  ///
  /// - Throws: ``StoreError``.
  public func enter(_ wish: StoreRequest.Wish, for sweep: SweepID?, at time: Date) throws(StoreError) {
    try translating(path: path) {
      try database.write { try StoreRequest.enter(wish, for: sweep, at: time.milliseconds, in: $0) }
    }
  }
}

extension WorkerChange {
  /// The change in the words of the history.
  var event: (kind: String, message: String?) {
    switch self {
    case .joined: ("worker-joined", nil)
    case .lost: ("worker-lost", nil)
    case .left(let reason): ("worker-left", reason)
    case .revoked(let reason): ("worker-revoked", reason)
    case .quarantined(let reason): ("worker-quarantined", reason)
    case .released: ("worker-released", nil)
    }
  }
}

extension SweepChange {
  /// The change in the words of the history.
  var event: (kind: String, message: String?) {
    switch self {
    case .paused: ("sweep-paused", nil)
    case .resumed: ("sweep-resumed", nil)
    case .cancelled: ("sweep-cancelled", nil)
    case .prioritised(let priority): ("sweep-prioritised", "\(priority)")
    }
  }
}

extension AttemptID {
  /// The number as SQLite stores it. Numbers are counted up from 1 and never come near the sign.
  var row: Int64 { Int64(number) }

  /// Reads a number as SQLite stores it.
  init(row: Int64) {
    self.init(UInt64(bitPattern: row))
  }
}
