internal import Foundation
internal import Glibc
internal import Synchronization

/// Reads frames from a pipe. Blocks.
struct FrameInput {
  private let handle: FileHandle

  init(_ handle: FileHandle) {
    self.handle = handle
  }

  /// The kind and body of the next frame; `nil` at the end of the pipe.
  ///
  /// - Throws: ``EngineFrameError`` if a length is out of bounds or the pipe ends within a frame.
  func next() throws(EngineFrameError) -> [UInt8]? {
    let header = read(EngineFrames.lengthBytes)
    guard !header.isEmpty else { return nil }
    guard header.count == EngineFrames.lengthBytes else { throw Self.cut }
    let length = header.reversed().reduce(0) { $0 << 8 | Int($1) }
    guard (1...EngineFrames.mostBytes).contains(length) else {
      throw EngineFrameError("expected a frame of 1 to \(EngineFrames.mostBytes) bytes, found \(length)")
    }
    let body = read(length)
    guard body.count == length else { throw Self.cut }
    return body
  }

  /// Reads no more.
  func close() {
    try? handle.close()
  }

  private static let cut = EngineFrameError("expected a whole frame, found the end of the pipe")

  /// So many bytes, or fewer at the end. A pipe that cannot be read has ended.
  private func read(_ count: Int) -> [UInt8] {
    var bytes: [UInt8] = []
    while bytes.count < count {
      guard let more = try? handle.read(upToCount: count - bytes.count), !more.isEmpty else { break }
      bytes += more
    }
    return bytes
  }
}

/// Writes frames to a pipe, on a thread of its own: whoever has something to say never waits for a reader that is slow
/// or stopped.
final class FrameOutput: Sendable {
  private struct State {
    var frames: [[UInt8]] = []
    var isClosed = false
  }

  private let handle: FileHandle
  private let state = Mutex(State())
  private let wake = DispatchSemaphore(value: 0)

  /// A pipe that nobody reads any more is an error to whoever writes, not the end of the process.
  private static let brokenPipesAreErrors: Void = { _ = signal(SIGPIPE, SIG_IGN) }()

  /// Starts the thread. It closes `handle` when it ends: after ``close()``, or when nobody reads any more.
  ///
  /// Process-wide effect: SIGPIPE is ignored from now on.
  init(_ handle: FileHandle) {
    Self.brokenPipesAreErrors
    self.handle = handle
    let thread = Thread { [self] in serve() }
    thread.stackSize = 256 << 10
    thread.start()
  }

  /// Hands a frame on to be written, in order; after ``close()`` it is dropped.
  func write(_ frame: [UInt8]) {
    state.withLock { state in
      if !state.isClosed { state.frames.append(frame) }
    }
    wake.signal()
  }

  /// Lets the thread end when it has written what was handed on before.
  func close() {
    state.withLock { $0.isClosed = true }
    wake.signal()
  }

  private func serve() {
    while true {
      wake.wait()
      let (frames, isClosed) = state.withLock { state in
        defer { state.frames = [] }
        return (state.frames, state.isClosed)
      }
      do {
        for frame in frames { try handle.write(contentsOf: frame) }
      } catch {
        state.withLock { $0.isClosed = true }
        break
      }
      if isClosed { break }
    }
    try? handle.close()
  }
}
