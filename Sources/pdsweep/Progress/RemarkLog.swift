internal import Logging
internal import Synchronization

/// Passes what a coordinator logs on to the display, up to a number of lines: a sweep whose every cell fails says so in
/// its counts.
struct RemarkLog: LogHandler {
  private static let mostLines = 20

  var metadata: Logger.Metadata = [:]
  var logLevel: Logger.Level
  private let display: ProgressDisplay
  private let counter = Counter()

  private final class Counter: Sendable {
    let lines = Mutex(0)
  }

  init(display: ProgressDisplay, level: Logger.Level) {
    self.display = display
    logLevel = level
  }

  subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }

  func log(event: LogEvent) {
    // What is critical ends the command with an error, which says the same.
    guard event.level < .critical else { return }
    let number = counter.lines.withLock { lines in
      lines += 1
      return lines
    }
    guard number <= Self.mostLines else { return }
    let details = (event.metadata ?? [:]).sorted { $0.key < $1.key }.map { " \($0.key) \($0.value)" }
    display.remark("\(event.message)" + (details.isEmpty ? "" : ":" + details.joined(separator: ",")))
    if number == Self.mostLines { display.remark("no more of these are shown; `pdsweep status` lists failed cells") }
  }
}
