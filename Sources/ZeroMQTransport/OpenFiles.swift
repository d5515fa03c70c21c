internal import Glibc

/// How many files the process may open at a time. Every connection is one.
public enum OpenFiles {
  /// Descriptors that connections leave to the store, the artefacts and everything else.
  private static let reserve = 256
  /// Connections that are enough for anybody: each, even of a stranger, costs some tens of kilobytes.
  private static let enough = 32_768

  /// Raises the limit as far as the process may and a coordinator has use for.
  public static func raiseLimit() {
    guard let limit else { return }
    let wanted = min(limit.rlim_max, rlim_t(enough + reserve))
    guard limit.rlim_cur < wanted else { return }
    var raised = rlimit(rlim_cur: wanted, rlim_max: limit.rlim_max)
    // Where it fails the limit stays, and with it the most connections.
    _ = unsafe setrlimit(resource, &raised)
  }

  /// The most connections for which the limit leaves room.
  static var mostConnections: Int {
    let files = Int(clamping: limit?.rlim_cur ?? 0)
    return min(enough, max(files - reserve, files / 2))
  }

  private static var limit: rlimit? {
    var limit = rlimit()
    return unsafe getrlimit(resource, &limit) == 0 ? limit : nil
  }

  private static var resource: __rlimit_resource_t { __rlimit_resource_t(RLIMIT_NOFILE.rawValue) }
}
