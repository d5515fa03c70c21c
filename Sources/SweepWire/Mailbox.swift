internal import Synchronization

/// Hands batches of elements from whoever produces them to one asynchronous consumer, and tells the producer when to
/// stop producing.
///
/// Everything that has been put in and not yet taken out makes up the next batch, so a slow consumer gets fewer and
/// larger ones. The mailbox itself never refuses an element: a producer that can be flooded asks ``hasRoom`` first
/// and waits for `onDrained`.
public final class Mailbox<Element: Sendable>: Sendable {
  private struct State {
    var elements: [Element] = []
    var weight = 0
    var isClosed = false
    var consumer: CheckedContinuation<[Element]?, Never>?
  }

  private let state = Mutex(State())
  private let capacity: Int
  private let onDrained: @Sendable () -> Void

  /// Creates a mailbox.
  ///
  /// - Parameters:
  ///   - capacity: the sum of weights from which on there is no room.
  ///   - onDrained: called, from the consumer's side, when a full mailbox has been emptied.
  public init(capacity: Int = .max, onDrained: @escaping @Sendable () -> Void = {}) {
    self.capacity = capacity
    self.onDrained = onDrained
  }

  /// Whether what waits weighs less than the capacity.
  public var hasRoom: Bool {
    state.withLock { $0.weight < capacity }
  }

  /// Puts elements in; after ``close()`` they are dropped.
  ///
  /// - Parameters:
  ///   - elements: what is handed on, in order.
  ///   - weight: what they count for against the capacity, say bytes.
  public func put(_ elements: [Element], weight: Int = 0) {
    guard !elements.isEmpty else { return }
    let consumer: CheckedContinuation<[Element]?, Never>? = state.withLock { state in
      guard !state.isClosed else { return nil }
      if let consumer = state.consumer {
        state.consumer = nil
        return consumer
      }
      state.elements += elements
      state.weight += weight
      return nil
    }
    consumer?.resume(returning: elements)
  }

  /// Ends the batches once what waits has been taken.
  public func close() {
    let consumer = state.withLock { state in
      state.isClosed = true
      defer { state.consumer = nil }
      return state.consumer
    }
    consumer?.resume(returning: nil)
  }

  /// The batches, for one consumer. Cancelling its task ends them.
  public var batches: AsyncStream<[Element]> {
    AsyncStream {
      await self.next()
    } onCancel: {
      self.close()
    }
  }

  private enum Taken {
    case batch([Element], wasFull: Bool)
    case end
    case nothingYet
  }

  private func next() async -> [Element]? {
    await withCheckedContinuation { continuation in
      switch take(orWaitWith: continuation) {
      case .batch(let batch, let wasFull):
        if wasFull { onDrained() }
        continuation.resume(returning: batch)
      case .end: continuation.resume(returning: nil)
      case .nothingYet: break
      }
    }
  }

  private func take(orWaitWith consumer: CheckedContinuation<[Element]?, Never>) -> Taken {
    state.withLock { state in
      precondition(state.consumer == nil, "a mailbox has one consumer")
      if !state.elements.isEmpty {
        defer {
          state.elements = []
          state.weight = 0
        }
        return .batch(state.elements, wasFull: state.weight >= capacity)
      }
      if state.isClosed { return .end }
      state.consumer = consumer
      return .nothingYet
    }
  }
}
