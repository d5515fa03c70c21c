import SweepCore
import SweepWire
import Testing

@Suite struct InMemoryTransportTests {
  @Test("Messages arrive in the order in which they were sent, in one batch per look")
  func order() async {
    let hub = InMemoryTransport()
    let worker = hub.connect()
    worker.send((0..<10).map { .ready(credit: $0) })
    var arrivals = hub.incoming.makeAsyncIterator()
    #expect(await arrivals.next() == (0..<10).map { .message(worker.peer, .ready(credit: $0)) })
    hub.send([OutgoingMessage(to: worker.peer, .drain), OutgoingMessage(to: worker.peer, .acknowledge([]))])
    var answers = worker.incoming.makeAsyncIterator()
    #expect(await answers.next() == [.message(.drain), .message(.acknowledge([]))])
  }

  @Test("Each connection is another peer, and one that has ended cannot be reached")
  func peers() async {
    let hub = InMemoryTransport()
    let first = hub.connect()
    let second = hub.connect()
    #expect(first.peer != second.peer)
    first.abandon()
    first.send([.ready(credit: 1)])
    hub.send([OutgoingMessage(to: first.peer, .drain)])
    second.send([.ready(credit: 2)])
    var arrivals = hub.incoming.makeAsyncIterator()
    #expect(
      await arrivals.next() == [.unreachable(first.peer), .message(second.peer, .ready(credit: 2))])
    var batches = 0
    for await _ in first.incoming { batches += 1 }
    #expect(batches == 0)
  }

  @Test("Closing ends what the coordinator hears, after what was said before")
  func closing() async {
    let hub = InMemoryTransport()
    let worker = hub.connect()
    worker.send([.ready(credit: 1)])
    await hub.close()
    worker.send([.ready(credit: 2)])
    var heard: [CoordinatorEvent] = []
    for await batch in hub.incoming { heard += batch }
    #expect(heard == [.message(worker.peer, .ready(credit: 1))])
  }
}

@Suite struct MailboxTests {
  @Test("A mailbox is full from its capacity on, and says when it has been emptied")
  func capacity() async {
    let (drained, drain) = AsyncStream.makeStream(of: Void.self)
    let mailbox = Mailbox<Int>(capacity: 10) { drain.yield() }
    mailbox.put([1], weight: 9)
    #expect(mailbox.hasRoom)
    mailbox.put([2], weight: 1)
    #expect(!mailbox.hasRoom)
    var batches = mailbox.batches.makeAsyncIterator()
    #expect(await batches.next() == [1, 2])
    #expect(mailbox.hasRoom)
    var signals = drained.makeAsyncIterator()
    #expect(await signals.next() != nil)
  }

  @Test("A consumer that waits gets the next batch, and the end")
  func waiting() async {
    let mailbox = Mailbox<Int>()
    let consumer = Task {
      var seen: [[Int]] = []
      for await batch in mailbox.batches { seen.append(batch) }
      return seen
    }
    for number in 0..<1000 { mailbox.put([number]) }
    mailbox.close()
    mailbox.put([1000])
    #expect(await consumer.value.flatMap { $0 } == Array(0..<1000))
  }

  @Test("Cancelling the consumer's task ends its batches")
  func cancellation() async {
    let mailbox = Mailbox<Int>()
    let consumer = Task { for await _ in mailbox.batches {} }
    consumer.cancel()
    await consumer.value
  }
}
