import CZeroMQ
import Dispatch
import Synchronization
import Testing

@testable import ZeroMQTransport

/// The thread of a socket, without a socket.
@Suite(.timeLimit(.minutes(10))) struct SocketThreadTests {
  /// An end that writes down what is sent, and stops at 0 until it is let go on.
  private struct JournalEnd: SocketEnd, ~Copyable {
    let endpoint = Endpoint(host: "nowhere", port: 1)
    let journal: Journal

    func send(_ outgoing: Int) -> Departure<Int> {
      journal.note(outgoing)
      return .gone
    }

    mutating func receive() -> Arrival<Int>? { nil }
    mutating func news() -> [Int] { [] }

    func wait(forInput: Bool, forOutput: Bool, or doorbell: Doorbell) {
      unsafe doorbell.wait(orFor: [], atMost: nil)
    }

    func forgetUnsent() {}
  }

  private final class Journal: Sendable {
    private let numbers = Mutex<[Int]>([])
    let isHeld = DispatchSemaphore(value: 0)
    let mayGoOn = DispatchSemaphore(value: 0)

    var all: [Int] { numbers.withLock { $0 } }

    func note(_ number: Int) {
      numbers.withLock { $0.append(number) }
      guard number == 0 else { return }
      isHeld.signal()
      mayGoOn.wait()
    }
  }

  @Test("What may wait is sent after what may not, also what comes later, and each in order")
  func urgency() async throws {
    let journal = Journal()
    let (thread, _) = try await SocketThread.start(for: Endpoint(host: "nowhere", port: 1)) {
      () throws(TransportError) in JournalEnd(journal: journal)
    }
    thread.send([0])
    await hold(journal)
    thread.sendLater(Array(100..<140))
    thread.send(Array(1...20))
    // The first to go out of the backlog stops the thread once more.
    thread.sendLater([0] + Array(200..<240))
    thread.send(Array(21...40))
    journal.mayGoOn.signal()
    await hold(journal)
    thread.send(Array(41...60))
    journal.mayGoOn.signal()
    await thread.close()
    #expect(journal.all == [0] + Array(1...40) + Array(100..<140) + [0] + Array(41...60) + Array(200..<240))
  }

  /// Waits, off Swift's threads, until the end is stopped.
  private func hold(_ journal: Journal) async {
    await withCheckedContinuation { continuation in
      DispatchQueue.global().async {
        journal.isHeld.wait()
        continuation.resume()
      }
    }
  }
}
