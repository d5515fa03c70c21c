internal import CZeroMQ
internal import Glibc
internal import SweepWire

/// Keeps the connections of a socket to as many as the process has room for: those beyond are cut as soon as they are
/// made, so that strangers cannot take the descriptors with which the store and the artefacts are opened.
struct ConnectionLimit {
  /// The most connections at a time.
  private let most: Int
  /// Descriptors of those that are open.
  private var open: Set<UInt32> = []
  private var cut = Tally()

  /// Descriptors that are left for files and everything else.
  fileprivate static var reserve: Int { 256 }
  /// Connections that are enough for anybody: each, even of a stranger, costs some tens of kilobytes.
  fileprivate static var enough: Int { 32_768 }

  /// Sets the limit by what the process may open.
  init() {
    let files = Int(clamping: OpenFiles.limit?.rlim_cur ?? 0)
    self.init(most: min(Self.enough, max(files - Self.reserve, files / 2)))
  }

  /// Sets a limit.
  init(most: Int) {
    self.most = most
  }

  /// Takes note of what became of connections, and returns what is to be told of it.
  mutating func note(_ events: [Socket.ConnectionEvent]) -> [CoordinatorEvent] {
    var remarks: [CoordinatorEvent] = []
    for event in events {
      switch event.kind {
      case ZMQ_EVENT_ACCEPTED:
        open.insert(event.value)
        guard open.count > most else { continue }
        Socket.cut(Int32(bitPattern: event.value))
        if cut.isWorthTelling() {
          remarks.append(
            .remark(
              "\(most) connections are open, the most that the limit of open files leaves room for: others are cut "
                + "(\(cut.count) so far); raise it with `ulimit -n`"))
        }
      default: open.remove(event.value)
      }
    }
    return remarks
  }
}

/// How many files the process may open at a time.
public enum OpenFiles {
  /// Raises the limit as far as the process may and a coordinator has use for; each connection is an open file.
  public static func raiseLimit() {
    guard let limit else { return }
    let wanted = min(limit.rlim_max, rlim_t(ConnectionLimit.enough + ConnectionLimit.reserve))
    guard limit.rlim_cur < wanted else { return }
    var raised = rlimit(rlim_cur: wanted, rlim_max: limit.rlim_max)
    // Where it fails the limit stays, and with it the most connections.
    _ = unsafe setrlimit(resource, &raised)
  }

  fileprivate static var limit: rlimit? {
    var limit = rlimit()
    return unsafe getrlimit(resource, &limit) == 0 ? limit : nil
  }

  private static var resource: __rlimit_resource_t { __rlimit_resource_t(RLIMIT_NOFILE.rawValue) }
}
