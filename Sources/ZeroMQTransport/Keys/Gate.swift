internal import CZeroMQ
internal import SweepWire

/// Admits to a coordinator's socket those whose keys are listed: the socket on which libzmq asks whom to admit, and the
/// list. Lives on the thread of the socket that it guards.
final class Gate {
  private let questions: Socket
  private var watch: KeyWatch
  private var refusals = Tally()

  /// Makes a socket ask for keys. To be called before it listens.
  ///
  /// - Throws: `TransportError`, also for keys that cannot be read.
  init(
    _ folder: KeyFolder, guarding socket: borrowing Socket, in context: Context, for endpoint: Endpoint
  ) throws(TransportError) {
    do throws(KeyError) {
      let secret = try folder.coordinatorKeys().secretKey
      watch = try KeyWatch(folder, at: .now)
      socket.set(ZMQ_CURVE_SERVER, 1)
      socket.set(ZMQ_CURVE_SECRETKEY, secret.text)
    } catch {
      throw .keys(error)
    }
    // Without a domain libzmq admits whoever knows the coordinator's public key.
    socket.set(ZMQ_ZAP_DOMAIN, Doorkeeper.domain)
    questions = try Socket(ZMQ_REP, in: context, for: endpoint)
    try questions.bind(inProcess: Doorkeeper.address)
  }

  /// What has become of the key with the number that a message shows.
  func standing(of number: Int) -> KeyRing.Standing? {
    watch.ring.standing(number)
  }

  /// Answers what libzmq has asked, looks at the list if that is due, and returns what is to be told.
  func news(at now: ContinuousClock.Instant) -> [CoordinatorEvent] {
    var news: [CoordinatorEvent] = []
    while let question = questions.receive(mostFrames: 8)?.frames {
      let answer = Doorkeeper.answer(question, watch.ring)
      // Whoever asks has room for an answer, or is gone.
      _ = questions.send(answer.frames)
      if let address = answer.refused, refusals.isWorthTelling() {
        news.append(.remark("a peer at \(address) was refused: its key is not admitted (\(refusals.count) so far)"))
      }
    }
    for change in watch.look(at: now) {
      switch change {
      case .revoked(let name): news.append(.revoked(key: name))
      case .unreadable(let error):
        news.append(.remark("the list of keys cannot be read, that from before holds: \(error)"))
      }
    }
    return news
  }

  /// Appends what is to be waited for.
  func addInterest(to items: inout [zmq_pollitem_t]) {
    unsafe questions.addInterest(to: &items, forInput: true, forOutput: false)
  }

  /// Time until the list is to be looked at.
  func pause(at now: ContinuousClock.Instant) -> Duration {
    watch.pause(at: now)
  }
}
