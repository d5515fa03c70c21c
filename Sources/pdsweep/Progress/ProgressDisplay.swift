internal import Foundation
internal import SweepCoordinator
internal import SweepStore
internal import Synchronization

/// Tells people on standard error how long work gets on: a line that is rewritten in place on a terminal, a line now and
/// then elsewhere. Remarks come between.
final class ProgressDisplay: Sendable {
  /// What standard error is.
  enum Style: Sendable {
    /// A terminal: the line is rewritten.
    case live
    /// A file or a pipe: a line every ten seconds or every twentieth of the work.
    case plain
    /// Nobody wants to know: only remarks are written.
    case silent

    /// The style that suits this process's standard error.
    static var suitable: Style {
      let isTerminal = isatty(STDERR_FILENO) == 1 && ProcessInfo.processInfo.environment["TERM"] != "dumb"
      return isTerminal ? .live : .plain
    }
  }

  private struct State {
    var cadence = PlainCadence()
    /// The line that stands on the terminal.
    var shown: String?
    /// Whether it was told that the coordinator waits for its store.
    var toldOfWaiting = false
  }

  /// How it tells.
  let style: Style
  private let state = Mutex(State())

  init(style: Style) {
    self.style = style
  }

  /// Shows where the sweep is, if it is time to.
  func show(_ progress: SweepProgress, _ standing: Standing?) {
    let (isNew, isOver) = state.withLock { state in
      let told = state.toldOfWaiting
      state.toldOfWaiting = progress.waitsForStore != nil
      return (!told && state.toldOfWaiting, told && !state.toldOfWaiting)
    }
    if isNew, let reason = progress.waitsForStore { remark("waiting: \(reason)") }
    if isOver { remark("the store can be written again; going on") }
    show(progress.line(standing), ended: progress.ended, of: progress.total, after: progress.elapsed)
  }

  /// Shows a line, if it is time to: so many parts of the work are done.
  func show(_ line: @autoclosure () -> String, ended: Int, of total: Int, after elapsed: Duration) {
    state.withLock { state in
      switch style {
      case .silent: return
      case .live:
        let line = line()
        state.shown = line
        write(Self.rewriting(line))
      case .plain:
        guard state.cadence.isDue(ended: ended, of: total, after: elapsed) else { return }
        write(line() + "\n")
      }
    }
  }

  /// Leaves the line as it stands and goes to the next.
  func end() {
    state.withLock { state in
      if state.shown != nil { write("\n") }
      state.shown = nil
    }
  }

  /// Writes a remark on a line of its own.
  func remark(_ text: String) {
    state.withLock { state in
      guard let shown = state.shown else { return write("pdsweep: \(text.printable)\n") }
      write("\r\u{1B}[Kpdsweep: \(text.printable)\n" + Self.rewriting(shown))
    }
  }

  /// Puts a line in place of the one that the cursor is on. The terminal is told not to wrap it: of a line on two rows
  /// only one could be rewritten.
  private static func rewriting(_ line: String) -> String {
    "\r\u{1B}[?7l\(line)\u{1B}[K\u{1B}[?7h"
  }

  private func write(_ text: String) {
    // What cannot be written there has nowhere else to go.
    try? FileHandle.standardError.write(contentsOf: Data(text.utf8))
  }
}

/// Decides when to write a line of progress where lines stay.
struct PlainCadence: Sendable {
  private static let interval = Duration.seconds(10)
  private var last: (elapsed: Duration, ended: Int)?

  /// Whether a line is due: the first, the one that says that all parts of the work have ended, and between them one
  /// every ten seconds or every twentieth of the parts.
  mutating func isDue(ended: Int, of total: Int, after elapsed: Duration) -> Bool {
    if let last {
      let more = ended - last.ended
      guard elapsed - last.elapsed >= Self.interval || more * 20 >= max(total, 1) || (more > 0 && ended == total) else {
        return false
      }
    }
    last = (elapsed, ended)
    return true
  }
}
