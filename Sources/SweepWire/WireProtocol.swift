/// The protocol's version and the bounds on what may be said. Both ends hold to the bounds: an encoder shortens text
/// meant for people and cuts long lists into several messages, a decoder refuses whatever is beyond them.
public enum WireProtocol {
  /// The only byte of the first frame of every message.
  public static let version: UInt8 = 3

  /// Most bytes of the body of a result.
  public static let resultBytes = 8 << 20
  /// Most bytes of the body of any other message from a worker.
  public static let requestBytes = 128 << 10
  /// Most bytes of the body of a message from the coordinator.
  public static let replyBytes = 16 << 20
  /// Most bytes of the canonical form of a cell.
  public static let cellBytes = 8 << 20
  /// Most bytes of the canonical form of a cell's result.
  public static let cellResultBytes = (4 << 20) - (64 << 10)
  /// Most bytes of the evaluation windows of a result; an engine that has more leaves them all out.
  public static let windowBytes = 4 << 20
  /// Most bytes of the canonical form of an attempt's report.
  public static let reportBytes = 32 << 10
  /// Most UTF-8 bytes of a name: of a worker, host, version, sweep, store, role.
  public static let nameBytes = 256
  /// Most UTF-8 bytes of a line for people.
  public static let textBytes = 4096
  /// Most bytes of an artefact in one message.
  public static let chunkBytes = 1 << 20
  /// Most bytes of artefacts on their way to a worker: sent, and not yet proved to have arrived.
  public static let artefactWindow = 4 << 20
  /// Most requests for parts of artefacts of one connection that wait to be answered; more are dropped.
  public static let artefactRequests = 64
  /// Most bytes of an artefact.
  public static let artefactBytes = 1 << 44
  /// Most elements of a list.
  public static let listCount = 1024
  /// The most unfinished leases that a worker can ask for.
  public static let credit = 1024
  /// The longest interval that a welcome can name.
  public static let longestInterval = Duration.seconds(24 * 60 * 60)
}
