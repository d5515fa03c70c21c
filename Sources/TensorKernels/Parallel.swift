internal import Dispatch
internal import Synchronization

/// Work that is done by several threads and comes to the same on any number of them.
public enum Parallel {
  /// The values of `work(0)`, `work(1)`, ... in this order, computed on up to `threads` threads, the calling one among
  /// them. Returns when all are done.
  ///
  /// Each number is worked off by one thread, at any time and beside any other. `work` may change working memory, such
  /// as matrices: it must not touch for one number what it changes for another.
  public static func map<Value: Sendable>(_ count: Int, threads: Int, _ work: (Int) -> Value) -> [Value] {
    let next = Atomic(0)
    let values = Mutex<[(place: Int, value: Value)]>([])
    withoutActuallyEscaping(work) { work in
      // Shared between threads under the caller's promise above; all have left it when this returns.
      nonisolated(unsafe) let work = work
      DispatchQueue.concurrentPerform(iterations: min(threads, count)) { _ in
        while true {
          let place = next.wrappingAdd(1, ordering: .relaxed).oldValue
          guard place < count else { return }
          let value = unsafe work(place)
          values.withLock { $0.append((place, value)) }
        }
      }
    }
    return values.withLock { values in values.sorted { $0.place < $1.place }.map(\.value) }
  }
}
