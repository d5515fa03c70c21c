import CZeroMQ
import Testing

@testable import ZeroMQTransport

/// Which connections are open, whose they are, and when they are cut, without sockets.
@Suite struct ConnectionsTests {
  private let start = ContinuousClock.now
  private var connections = Connections(most: 3, grace: .seconds(1))

  private func accepted(_ descriptor: UInt32) -> Socket.ConnectionEvent {
    Socket.ConnectionEvent(kind: ZMQ_EVENT_ACCEPTED, value: descriptor)
  }

  private func ended(_ descriptor: UInt32) -> Socket.ConnectionEvent {
    Socket.ConnectionEvent(kind: ZMQ_EVENT_DISCONNECTED, value: descriptor)
  }

  /// Hears a peer when there is news that nobody has noted.
  private mutating func hear(
    _ name: [UInt8], keyNumber: Int? = nil, over descriptor: Int32, before news: Socket.ConnectionEvent...
  ) {
    let noted = connections.heard(name, keyNumber: keyNumber, over: descriptor) { news }
    #expect(noted == ([], nil))
  }

  @Test("Connections beyond the most are cut, ever more rarely told of, and there is room when others have ended")
  mutating func limit() {
    #expect(connections.note([5, 6, 7].map { accepted($0) }) == ([], nil))
    var remarks = 0
    for number in UInt32(8)..<108 {
      let (cut, remark) = connections.note([accepted(number)])
      #expect(cut == [Int32(number)])
      if remark != nil { remarks += 1 }
      _ = connections.note([ended(number)])
    }
    #expect(remarks == 7, "the 1st, 2nd, 4th, 8th, 16th, 32nd and 64th")
    _ = connections.note([ended(6)])
    #expect(connections.note([accepted(6)]).cut == [])
    // A descriptor that is told twice is one.
    #expect(connections.note([accepted(6)]).cut == [])
  }

  @Test("A doomed peer is cut once, when its grace is over, by the descriptor that it has then")
  mutating func grace() {
    _ = connections.note([accepted(5), accepted(6)])
    hear([1], over: 5)
    hear([2], over: 6)
    #expect(connections.pause(at: start) == nil)
    connections.doom([1], at: start)
    connections.doom([1], at: start + .milliseconds(500))
    connections.doom([9], at: start + .milliseconds(500))
    #expect(connections.pause(at: start + .milliseconds(400)) == .milliseconds(600))
    #expect(connections.due(at: start + .milliseconds(999)) == [])
    #expect(connections.due(at: start + .seconds(1)) == [5])
    #expect(connections.pause(at: start) == nil, "twice is once, and nobody is known by the other name")
  }

  @Test("A peer whose connection has ended is not looked for at the descriptor, which is another's by now")
  mutating func reuse() {
    _ = connections.note([accepted(5)])
    hear([1], over: 5)
    connections.doom([1], at: start)
    _ = connections.note([ended(5), accepted(5)])
    #expect(connections.due(at: start + .seconds(1)) == [])
    hear([2], over: 5)
    // What the first has said before its end may be read after it, and is set right by the next message.
    hear([1], over: 5)
    hear([2], over: 5)
    connections.doom([1], at: start)
    connections.doom([2], at: start)
    #expect(connections.due(at: start + .seconds(1)) == [5])
  }

  @Test("A peer that is heard before the news of its connection can be cut all the same")
  mutating func overtaking() {
    hear([1], over: 5, before: accepted(5))
    connections.doom([1], at: start)
    #expect(connections.due(at: start + .seconds(1)) == [5])
    // Its descriptor is another's by then.
    hear([2], over: 5, before: ended(5), accepted(5))
    connections.doom([2], at: start)
    #expect(connections.due(at: start + .seconds(1)) == [5])
    // There is room for two more, and what is beyond is cut although a message came first.
    _ = connections.note([accepted(6), accepted(7)])
    let fourth = accepted(8)
    let noted = connections.heard([3], keyNumber: nil, over: 8) { [fourth] }
    #expect(noted.cut == [8])
  }

  @Test("The peers of a key are doomed together")
  mutating func keys() {
    for (descriptor, key) in zip(Int32(5)..., [0, 1, 0, nil]) {
      hear([UInt8(descriptor)], keyNumber: key, over: descriptor)
    }
    connections.doom(where: { $0 == 0 }, at: start)
    #expect(connections.due(at: start + .seconds(1)) == [5, 7])
  }
}
