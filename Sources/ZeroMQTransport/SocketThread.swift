internal import CZeroMQ
internal import Foundation
internal import SweepWire
internal import Synchronization

/// What a socket is for: how it is opened, and how its messages are written and read.
protocol SocketRole: Sendable {
  /// What is handed in to be sent.
  associatedtype Outgoing: Sendable
  /// What is handed out.
  associatedtype Incoming: Sendable

  /// Opens the socket, on the thread that will own it. Returns it with the address that is in use.
  func open() throws(TransportError) -> Opened

  /// The messages, as frames, that carry `outgoing`.
  func frames(of outgoing: Outgoing) -> [[[UInt8]]]

  /// What a message that arrived says.
  func read(_ frames: [[UInt8]]) -> Incoming

  /// What to report when `outgoing` cannot be sent because the queue is full or the peer is gone; `nil` to keep it and
  /// all that follows until there is room.
  func undeliverable(_ outgoing: Outgoing) -> Incoming?

  /// What to report when the connection has broken.
  var broken: Incoming? { get }

  /// Frames of a message, at most.
  static var mostFrames: Int { get }
}

/// A socket that has been opened.
struct Opened: ~Copyable {
  var socket: Socket
  var endpoint: Endpoint
}

/// Runs a socket on a thread of its own and connects it with the rest of the program: an outbox filled by any thread,
/// an inbox emptied by one asynchronous consumer.
///
/// While the inbox is full the thread does not read; libzmq's queue of each peer fills up to its high-water mark, then
/// TCP's, and a flood stops at its source.
final class SocketThread<Role: SocketRole>: Sendable {
  private struct State {
    var outbox: [Role.Outgoing] = []
    /// Whether the doorbell has been rung for what is in the outbox.
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

  private let role: Role
  private let state = Mutex(State())
  private let doorbell: Doorbell
  private let inbox: Mailbox<Role.Incoming>
  /// What arrives, in batches.
  let incoming: AsyncStream<[Role.Incoming]>

  /// Bytes that may wait in the inbox before reading stops; the last batch may go beyond it.
  private static var inboxCapacity: Int { 8 << 20 }
  /// Messages and bytes after which a batch is handed on and the outbox is looked at again.
  private static var batchMessages: Int { 256 }
  private static var batchBytes: Int { 1 << 20 }
  /// What a message weighs in the inbox beyond its bytes.
  private static var messageOverhead: Int { 256 }

  private init(_ role: Role, _ doorbell: Doorbell) {
    self.role = role
    self.doorbell = doorbell
    inbox = Mailbox(capacity: Self.inboxCapacity) { doorbell.ring() }
    incoming = inbox.batches
  }

  /// Starts a thread, opens the socket on it, and returns when that is done.
  static func start(_ role: Role, for endpoint: Endpoint) async throws(TransportError) -> (SocketThread, Endpoint) {
    guard let doorbell = Doorbell() else { throw .tooManyOpenFiles(endpoint) }
    let instance = SocketThread(role, doorbell)
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
  func send(_ messages: [Role.Outgoing]) {
    let mustRing = state.withLock { state in
      guard state.closing == nil else { return false }
      state.outbox += messages
      defer { state.isArmed = true }
      return !state.isArmed
    }
    if mustRing { doorbell.ring() }
  }

  /// Tells the thread to close its socket and to end. What was said first holds.
  func beginClosing(_ how: Closing) {
    state.withLock { $0.closing = $0.closing ?? how }
    doorbell.ring()
  }

  /// Does the same, and returns when the thread has closed its socket.
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
      let new = try role.open()
      opened.resume(returning: .success(new.endpoint))
      serve(new.socket)
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

  /// Sends and receives until told to close, then closes the socket.
  private func serve(_ socket: consuming Socket) {
    var unsent: ArraySlice<Role.Outgoing> = []
    while true {
      let (messages, closing) = state.withLock { state in
        defer {
          state.outbox = []
          state.isArmed = false
        }
        return (state.outbox, state.closing)
      }
      if case .dropping = closing { return socket.forgetUnsent() }
      unsent += messages
      var arrived = send(&unsent, over: socket)
      if case .flushing = closing { return }
      let hasRoom = inbox.hasRoom
      var weight = 0
      if hasRoom { weight = receive(&arrived, from: socket) }
      if let broken = role.broken, socket.connectionBroke() { arrived.append(broken) }
      inbox.put(arrived, weight: weight)
      if arrived.isEmpty || !hasRoom {
        socket.wait(forInput: hasRoom, forOutput: !unsent.isEmpty, or: doorbell)
      }
    }
  }

  /// Sends from the front of `unsent` and returns what is to be reported about it.
  private func send(_ unsent: inout ArraySlice<Role.Outgoing>, over socket: borrowing Socket) -> [Role.Incoming] {
    var reports: [Role.Incoming] = []
    while let outgoing = unsent.first {
      for frames in role.frames(of: outgoing) {
        if case .queued = socket.send(frames) { continue }
        guard let report = role.undeliverable(outgoing) else { return reports }
        reports.append(report)
        break
      }
      unsent.removeFirst()
    }
    unsent = []
    return reports
  }

  /// Appends a batch of messages and returns its weight.
  private func receive(_ batch: inout [Role.Incoming], from socket: borrowing Socket) -> Int {
    var weight = 0
    for _ in 0..<Self.batchMessages {
      guard weight < Self.batchBytes, let frames = socket.receive(mostFrames: Role.mostFrames) else { break }
      weight += frames.reduce(Self.messageOverhead) { $0 + $1.count }
      batch.append(role.read(frames))
    }
    return weight
  }
}
