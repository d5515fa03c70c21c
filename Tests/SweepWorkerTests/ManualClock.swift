import SweepCore
import SweepWorker
import Synchronization

/// A clock that stands still until it is told to go on.
final class ManualClock: WorkerClock {
  private struct State {
    var now = Instant(nanoseconds: 0)
    var nextSleeper = 0
    var sleepers: [Int: (deadline: Instant, continuation: CheckedContinuation<Void, Never>)] = [:]
    var cancelled: Set<Int> = []
    var watcher: CheckedContinuation<Void, Never>?
  }

  private let state = Mutex(State())

  var now: Instant {
    state.withLock { $0.now }
  }

  func sleep(until deadline: Instant) async {
    let sleeper = state.withLock { state in
      state.nextSleeper += 1
      return state.nextSleeper
    }
    await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        let (isOver, watcher) = state.withLock { state in
          guard deadline > state.now, !state.cancelled.contains(sleeper) else {
            return (true, nil as CheckedContinuation<Void, Never>?)
          }
          state.sleepers[sleeper] = (deadline, continuation)
          defer { state.watcher = nil }
          return (false, state.watcher)
        }
        if isOver { continuation.resume() }
        watcher?.resume()
      }
    } onCancel: {
      let continuation = state.withLock { state in
        state.cancelled.insert(sleeper)
        return state.sleepers.removeValue(forKey: sleeper)?.continuation
      }
      continuation?.resume()
    }
  }

  /// Waits until somebody sleeps, then goes on to the first moment that is waited for.
  func advance() async {
    while true {
      let woken = state.withLock { state -> [CheckedContinuation<Void, Never>]? in
        guard let next = state.sleepers.values.map(\.deadline).min() else { return nil }
        state.now = max(state.now, next)
        let due = state.sleepers.filter { $0.value.deadline <= next }
        for sleeper in due.keys { state.sleepers[sleeper] = nil }
        return due.values.map(\.continuation)
      }
      if let woken {
        for continuation in woken { continuation.resume() }
        return
      }
      await withCheckedContinuation { continuation in
        let isReady = state.withLock { state in
          if state.sleepers.isEmpty { state.watcher = continuation }
          return !state.sleepers.isEmpty
        }
        if isReady { continuation.resume() }
      }
    }
  }
}
