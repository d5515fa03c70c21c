internal import CZeroMQ
internal import Foundation
internal import SweepWire
internal import Synchronization

/// One end of connections: the sockets that a thread owns, and how messages are written to and read from them. It is
/// opened, used and closed on that thread.
protocol SocketEnd: ~Copyable, SendableMetatype {
  /// What is handed in to be sent.
  associatedtype Outgoing: Sendable
  /// What is handed out.
  associatedtype Incoming: Sendable

  /// The address in use.
  var endpoint: Endpoint { get }

  /// Hands a message to libzmq, without waiting.
  mutating func send(_ outgoing: Outgoing) -> Departure<Incoming>

  /// The next message that has arrived, without waiting; `nil` if there is none.
  mutating func receive() -> Arrival<Incoming>?

  /// What else has happened since this was last asked. Asked whenever the thread is awake.
  mutating func news() -> [Incoming]

  /// Waits until there is something to do.
  ///
  /// - Parameters:
  ///   - forInput: whether messages that arrive are something to do.
  ///   - forOutput: whether room for messages to be sent is.
  ///   - doorbell: always is, when rung; it is answered.
  func wait(forInput: Bool, forOutput: Bool, or doorbell: Doorbell)

  /// Lets closing drop what is still to be sent.
  func forgetUnsent()
}

/// What became of a message that was to be sent.
enum Departure<Report> {
  /// It is on its way.
  case gone
  /// There is no room: it and all that follows wait.
  case kept
  /// It cannot be sent, which is to be reported.
  case failed(Report)
}

/// A message that arrived.
struct Arrival<Incoming> {
  /// What it says; `nil` if nobody is to hear of it.
  var message: Incoming?
  /// Its size in bytes.
  var size: Int
}

/// Runs one end on a thread of its own and connects it with the rest of the program: an outbox filled by any thread,
/// an inbox emptied by one asynchronous consumer.
///
/// While the inbox is full the thread does not read; libzmq's queue of each peer fills up to its high-water mark, then
/// TCP's, and a flood stops at its source.
final class SocketThread<End: SocketEnd & ~Copyable>: Sendable {
  private struct State {
    var outbox: [End.Outgoing] = []
    /// What is sent when there is nothing else to be sent.
    var backlog: [End.Outgoing] = []
    /// Whether the doorbell has been rung for what is in the outbox and the backlog.
    var isArmed = false
    var closing: Closing?
    var hasEnded = false
    var closers: [CheckedContinuation<Void, Never>] = []
  }

  /// How a socket is to be closed.
  enum Closing {
    /// After sending what has been handed in, as far as the linger time allows.
    case flushing
    /// At once.
    case dropping
  }

  private let open: @Sendable () throws(TransportError) -> End
  private let state = Mutex(State())
  private let doorbell: Doorbell
  private let inbox: Mailbox<End.Incoming>
  /// What arrives, in batches.
  let incoming: AsyncStream<[End.Incoming]>

  /// Bytes that may wait in the inbox before reading stops; the last batch may go beyond it.
  private static var inboxCapacity: Int { 8 << 20 }
  /// Messages and bytes after which a batch is handed on and the outbox is looked at again.
  private static var batchMessages: Int { 256 }
  private static var batchBytes: Int { 1 << 20 }
  /// What a message weighs in the inbox beyond its bytes.
  private static var messageOverhead: Int { 256 }

  private init(_ doorbell: Doorbell, _ open: @escaping @Sendable () throws(TransportError) -> End) {
    self.open = open
    self.doorbell = doorbell
    inbox = Mailbox(capacity: Self.inboxCapacity) { doorbell.ring() }
    incoming = inbox.batches
  }

  /// Starts a thread, opens the end on it, and returns when that is done, with the address in use.
  static func start(
    for endpoint: Endpoint, _ open: @escaping @Sendable () throws(TransportError) -> End
  ) async throws(TransportError) -> (SocketThread, Endpoint) {
    guard let doorbell = Doorbell() else { throw .tooManyOpenFiles(endpoint) }
    let instance = SocketThread(doorbell, open)
    let outcome: Result<Endpoint, TransportError> = await withCheckedContinuation { opened in
      let thread = Thread {
        // Foundation loses a name given before the start, and the thread may have ended after it.
        unsafe pdsweep_name_thread("pdsweep-socket")
        instance.run(opened)
      }
      thread.stackSize = 1 << 20
      thread.start()
    }
    return (instance, try outcome.get())
  }

  /// Puts messages into the outbox.
  func send(_ messages: [End.Outgoing]) {
    hand { $0.outbox += messages }
  }

  /// Puts messages behind all that is in the outbox, and all that comes into it meanwhile.
  func sendLater(_ messages: [End.Outgoing]) {
    hand { $0.backlog += messages }
  }

  private func hand(_ put: (inout State) -> Void) {
    let mustRing = state.withLock { state in
      guard state.closing == nil else { return false }
      put(&state)
      defer { state.isArmed = true }
      return !state.isArmed
    }
    if mustRing { doorbell.ring() }
  }

  /// Tells the thread to close its sockets and to end. What was said first holds.
  func beginClosing(_ how: Closing) {
    state.withLock { $0.closing = $0.closing ?? how }
    doorbell.ring()
  }

  /// Does the same, and returns when the thread has closed its sockets.
  func close() async {
    beginClosing(.flushing)
    await withCheckedContinuation { continuation in
      let hasEnded = state.withLock { state in
        if !state.hasEnded { state.closers.append(continuation) }
        return state.hasEnded
      }
      if hasEnded { continuation.resume() }
    }
  }

  /// The thread's whole life.
  private func run(_ opened: CheckedContinuation<Result<Endpoint, TransportError>, Never>) {
    do throws(TransportError) {
      let end = try open()
      opened.resume(returning: .success(end.endpoint))
      serve(end)
    } catch {
      opened.resume(returning: .failure(error))
    }
    inbox.close()
    let closers = state.withLock { state in
      state.hasEnded = true
      return state.closers
    }
    for closer in closers { closer.resume() }
  }

  /// Sends and receives until told to close, then closes the end.
  private func serve(_ end: consuming End) {
    var unsent: ArraySlice<End.Outgoing> = []
    var backlog: ArraySlice<End.Outgoing> = []
    while true {
      let (messages, later, closing) = state.withLock { state in
        defer {
          state.outbox = []
          state.backlog = []
          state.isArmed = false
        }
        return (state.outbox, state.backlog, state.closing)
      }
      if case .dropping = closing { return end.forgetUnsent() }
      unsent += messages
      backlog += later
      var arrived: [End.Incoming] = []
      send(&unsent, over: &end, &arrived)
      if case .flushing = closing { return send(&backlog, over: &end, &arrived) }
      // One at a time: what is more urgent waits for no more than that.
      if unsent.isEmpty, !backlog.isEmpty {
        var next = backlog.prefix(1)
        send(&next, over: &end, &arrived)
        if next.isEmpty { backlog.removeFirst() }
        if backlog.isEmpty { backlog = [] }
      }
      let hasRoom = inbox.hasRoom
      var size = 0
      if hasRoom { size = receive(&arrived, from: &end) }
      arrived += end.news()
      inbox.put(arrived, weight: size)
      let mayGoOn = unsent.isEmpty && !backlog.isEmpty
      if !mayGoOn, arrived.isEmpty || !hasRoom {
        end.wait(forInput: hasRoom, forOutput: !unsent.isEmpty, or: doorbell)
      }
    }
  }

  /// Sends from the front of `unsent`, and appends what is to be reported about it.
  private func send(
    _ unsent: inout ArraySlice<End.Outgoing>, over end: inout End, _ reports: inout [End.Incoming]
  ) {
    while let outgoing = unsent.first {
      switch end.send(outgoing) {
      case .gone: break
      case .kept: return
      case .failed(let report): reports.append(report)
      }
      unsent.removeFirst()
    }
    unsent = []
  }

  /// Appends a batch of messages and returns its weight.
  private func receive(_ batch: inout [End.Incoming], from end: inout End) -> Int {
    var weight = 0
    for _ in 0..<Self.batchMessages {
      guard weight < Self.batchBytes, let arrival = end.receive() else { break }
      guard let message = arrival.message else { continue }
      weight += Self.messageOverhead + arrival.size
      batch.append(message)
    }
    return weight
  }
}
