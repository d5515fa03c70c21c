public import SweepWire

/// The connections of many workers, on one thread and in one ZeroMQ context: to see what a coordinator does under them.
///
/// Made, used and released on one thread. Nothing blocks, and nothing waits either: whoever has the crowd looks at each
/// connection when it is that worker's turn.
public struct WorkerCrowd: ~Copyable {
  /// A place for an end in an array, which holds only what can be copied.
  private final class Place {
    let end: DealerEnd

    init(_ end: consuming DealerEnd) {
      self.end = end
    }
  }

  private let places: [Place]

  /// Begins to connect.
  ///
  /// - Parameters:
  ///   - count: the number of connections.
  ///   - endpoint: where the coordinator listens.
  ///   - key: what each proves who it is with; `nil` = messages are in the clear.
  /// - Throws: `TransportError` if the address cannot be one of a coordinator, or this process cannot open as many
  ///   files.
  public init(_ count: Int, to endpoint: Endpoint, key: WorkerKey? = nil) throws(TransportError) {
    guard endpoint.port > 0 else { throw .portMissing(endpoint) }
    let address = try endpoint.resolve()
    let context = try Context(for: endpoint, sockets: count)
    var places: [Place] = []
    for _ in 0..<count {
      let end = try DealerEnd(endpoint, at: address, key, in: context)
      // What a crowd has left to say when it goes is of no use to anybody.
      end.forgetUnsent()
      places.append(Place(end))
    }
    self.places = places
  }

  /// Says something over a connection; `false` if it has no room for more.
  public func say(_ message: FromWorker, over connection: Int) -> Bool {
    switch places[connection].end.send(message) {
    case .gone: true
    case .kept, .failed: false
    }
  }

  /// The next that has arrived over a connection; `nil` if there is nothing.
  public func hear(over connection: Int) -> WorkerEvent? {
    while let arrival = places[connection].end.receive() {
      if let event = arrival.message { return event }
    }
    return nil
  }
}
