/// Answers libzmq's questions whether to admit a peer (ZAP, ZeroMQ RFC 27): those whose keys are on the ring are.
enum Doorkeeper {
  /// Where libzmq asks, within the context of the socket that peers connect to.
  static let address = "inproc://zeromq.zap.01"
  /// The domain that the coordinator's socket names; libzmq asks about no socket without one.
  static let domain = "pdsweep"

  /// An answer.
  struct Answer: Equatable {
    /// Its frames.
    var frames: [[UInt8]]
    /// The address of the peer, where it is refused.
    var refused: String?
  }

  /// Answers a question. One that is not as libzmq asks is answered with a refusal.
  static func answer(_ question: [[UInt8]], _ ring: KeyRing) -> Answer {
    // Version, number, domain, address, name of the connection, mechanism, public key.
    let isWhole = question.count == 7 && question[0] == version && question[5] == Array("CURVE".utf8)
    let number = isWhole ? CurvePublicKey(bytes: question[6]).flatMap(ring.number) : nil
    let request = question.count > 1 ? question[1] : []
    guard let number else {
      let address = question.count > 3 ? String(decoding: question[3], as: UTF8.self) : "an unknown address"
      return Answer(
        frames: [version, request, Array("400".utf8), Array("this key is not admitted".utf8), [], []],
        refused: address)
    }
    return Answer(frames: [version, request, Array("200".utf8), [], Array(String(number).utf8), []], refused: nil)
  }

  private static let version = Array("1.0".utf8)
}
