internal import ContentHash
internal import Foundation
internal import SweepCore
internal import SweepWire

/// What a supervisor says to an engine's process, over its standard input.
enum ToEngine: Sendable, Hashable {
  /// Run a cell. Nothing runs.
  case run(EngineJob)
  /// End the attempt early, if it still runs.
  case cancel(AttemptID)
}

/// What an engine's process says to its supervisor, over its standard output.
enum FromEngine: Sendable, Hashable {
  /// The first: it can take a cell.
  case ready
  /// A sign of life, with how far the running attempt is if that is news.
  case alive(AttemptProgress?)
  /// The attempt has ended; it can take another.
  case finished(AttemptID, AttemptOutcome)
  /// The attempt has not been run: these files are not what they were. It can take another.
  case stale(AttemptID, [SHA256Digest])
}

/// What an engine is given to run.
struct EngineJob: Sendable, Hashable {
  var cell: LeasedCell
  var files: [LocalArtefact]
}

/// Turns what a supervisor and an engine say into frames and back.
///
///     frame = length kind body      ; length of kind and body, 4 bytes; kind 1 byte
///
/// Numbers are little-endian; text and bytes are preceded by their length. Both ends are the same program, so there is
/// no version; what cannot be read ends the connection, and nothing is allocated for a length beyond the bounds.
enum EngineFrames {
  /// Bytes before the kind.
  static let lengthBytes = 4
  /// Most bytes of a kind and a body: the largest cell, or all artefacts with the longest names.
  static let mostBytes = 32 << 20

  static func encode(_ message: ToEngine) -> [UInt8] {
    var writer = FrameWriter()
    switch message {
    case .run(let job):
      writer.put(UInt8(1))
      writer.put(job.cell.attempt.number)
      writer.put(UInt64(job.cell.index))
      writer.put(job.cell.cell)
      writer.put(UInt32(job.files.count))
      for file in job.files {
        writer.put(file.artefact.digest.bytes)
        writer.put(file.artefact.role)
        writer.put(file.artefact.name)
        writer.put(UInt64(file.artefact.size))
        writer.put(file.path)
        writer.put(UInt64(file.stamp.size))
        writer.put(file.stamp.changed.timeIntervalSinceReferenceDate.bitPattern)
        writer.put(UInt64(file.stamp.number))
      }
    case .cancel(let attempt):
      writer.put(UInt8(2))
      writer.put(attempt.number)
    }
    return writer.frame
  }

  static func encode(_ message: FromEngine) -> [UInt8] {
    var writer = FrameWriter()
    switch message {
    case .ready: writer.put(UInt8(1))
    case .alive(let progress):
      writer.put(UInt8(2))
      writer.put(UInt8(progress == nil ? 0 : 1))
      if let progress {
        writer.put(progress.attempt.number)
        writer.put(UInt32(clamping: progress.step))
        writer.put(UInt32(clamping: progress.steps))
        writer.put(UInt8(progress.loss == nil ? 0 : 1))
        writer.put((progress.loss ?? 0).bitPattern)
      }
    case .finished(let attempt, .result(let result)):
      writer.put(UInt8(3))
      writer.put(attempt.number)
      writer.put(result.fingerprint.bytes)
      writer.put(result.result)
      writer.put(result.report)
      writer.put(UInt8(result.windows == nil ? 0 : 1))
      if let windows = result.windows {
        writer.put(windows.base)
        writer.put(windows.edited)
      }
    case .finished(let attempt, .failure(let failure)):
      writer.put(UInt8(4))
      writer.put(attempt.number)
      writer.put(failure.kind.rawValue)
      writer.put(failure.message)
    case .stale(let attempt, let digests):
      writer.put(UInt8(5))
      writer.put(attempt.number)
      writer.put(UInt32(digests.count))
      for digest in digests { writer.put(digest.bytes) }
    }
    return writer.frame
  }

  /// Reads the kind and body of a frame.
  static func decodeToEngine(_ bytes: [UInt8]) throws(EngineFrameError) -> ToEngine {
    var reader = FrameReader(bytes)
    let message: ToEngine
    switch try reader.byte() {
    case 1:
      let attempt = try reader.attempt()
      let index = try reader.number(atMost: UInt64(Int.max))
      let cell = try reader.bytes(atMost: WireProtocol.cellBytes)
      let count = try reader.length(atMost: WireProtocol.listCount)
      var files: [LocalArtefact] = []
      for _ in 0..<count { files.append(try reader.file()) }
      message = .run(
        EngineJob(cell: LeasedCell(attempt: attempt, index: Int(index), cell: cell, artefacts: []), files: files))
    case 2: message = .cancel(try reader.attempt())
    case let kind: throw EngineFrameError("expected a kind of message to an engine, found \(kind)")
    }
    try reader.end()
    return message
  }

  /// Reads the kind and body of a frame.
  static func decodeFromEngine(_ bytes: [UInt8]) throws(EngineFrameError) -> FromEngine {
    var reader = FrameReader(bytes)
    let message: FromEngine
    switch try reader.byte() {
    case 1: message = .ready
    case 2:
      guard try reader.flag() else {
        message = .alive(nil)
        break
      }
      let attempt = try reader.attempt()
      let (step, steps) = (Int(try reader.word()), Int(try reader.word()))
      let (hasLoss, loss) = (try reader.flag(), Double(bitPattern: try reader.number()))
      message = .alive(AttemptProgress(attempt: attempt, step: step, steps: steps, loss: hasLoss ? loss : nil))
    case 3:
      let attempt = try reader.attempt()
      message = .finished(
        attempt,
        .result(
          AttemptResult(
            attempt: attempt, fingerprint: try reader.digest(),
            result: try reader.bytes(atMost: WireProtocol.cellResultBytes),
            report: try reader.bytes(atMost: WireProtocol.reportBytes), windows: try reader.windows())))
    case 4:
      let attempt = try reader.attempt()
      let name = try reader.text(atMost: WireProtocol.nameBytes)
      guard let kind = CellFailure.Kind(rawValue: name) else {
        throw EngineFrameError("expected a kind of failure, found \(name.debugDescription)")
      }
      message = .finished(
        attempt, .failure(CellFailure(kind: kind, message: try reader.text(atMost: mostBytes))))
    case 5:
      let attempt = try reader.attempt()
      var digests: [SHA256Digest] = []
      for _ in 0..<(try reader.length(atMost: WireProtocol.listCount)) { digests.append(try reader.digest()) }
      message = .stale(attempt, digests)
    case let kind: throw EngineFrameError("expected a kind of message from an engine, found \(kind)")
    }
    try reader.end()
    return message
  }
}

/// A frame that cannot be read.
struct EngineFrameError: Error, Hashable, CustomStringConvertible {
  /// What was expected and what was found.
  let description: String

  init(_ description: String) {
    self.description = description
  }
}

/// Puts a frame together.
private struct FrameWriter {
  private var bytes = [UInt8](repeating: 0, count: EngineFrames.lengthBytes)

  mutating func put(_ number: some FixedWidthInteger & UnsignedInteger) {
    for shift in stride(from: 0, to: number.bitWidth, by: 8) {
      bytes.append(UInt8(truncatingIfNeeded: number >> shift))
    }
  }

  mutating func put(_ content: [UInt8]) {
    put(UInt32(content.count))
    bytes += content
  }

  mutating func put(_ text: String) {
    put(Array(text.utf8))
  }

  /// The frame, with its length in front.
  var frame: [UInt8] {
    let length = bytes.count - EngineFrames.lengthBytes
    precondition(length <= EngineFrames.mostBytes, "a frame is too long to be sent")
    var frame = bytes
    for place in 0..<EngineFrames.lengthBytes { frame[place] = UInt8(truncatingIfNeeded: length >> (8 * place)) }
    return frame
  }
}

/// Takes a frame apart.
private struct FrameReader {
  private var rest: ArraySlice<UInt8>

  init(_ bytes: [UInt8]) {
    rest = bytes[...]
  }

  private mutating func take(_ count: Int) throws(EngineFrameError) -> ArraySlice<UInt8> {
    guard count <= rest.count else { throw EngineFrameError("expected \(count) bytes more, found \(rest.count)") }
    defer { rest = rest.dropFirst(count) }
    return rest.prefix(count)
  }

  mutating func number(atMost limit: UInt64 = .max) throws(EngineFrameError) -> UInt64 {
    let number = try take(8).reversed().reduce(0) { $0 << 8 | UInt64($1) }
    guard number <= limit else { throw EngineFrameError("expected a number up to \(limit), found \(number)") }
    return number
  }

  mutating func word() throws(EngineFrameError) -> UInt32 {
    try take(4).reversed().reduce(0) { $0 << 8 | UInt32($1) }
  }

  mutating func byte() throws(EngineFrameError) -> UInt8 {
    try take(1).reduce(0) { $0 | $1 }
  }

  mutating func flag() throws(EngineFrameError) -> Bool {
    let byte = try byte()
    guard byte <= 1 else { throw EngineFrameError("expected 0 or 1, found \(byte)") }
    return byte == 1
  }

  mutating func length(atMost limit: Int) throws(EngineFrameError) -> Int {
    let length = Int(try word())
    guard length <= limit else { throw EngineFrameError("expected a length up to \(limit), found \(length)") }
    return length
  }

  mutating func bytes(atMost limit: Int) throws(EngineFrameError) -> [UInt8] {
    Array(try take(try length(atMost: limit)))
  }

  mutating func text(atMost limit: Int) throws(EngineFrameError) -> String {
    guard let text = String(validating: try bytes(atMost: limit), as: UTF8.self) else {
      throw EngineFrameError("expected UTF-8 text, found other bytes")
    }
    return text
  }

  mutating func attempt() throws(EngineFrameError) -> AttemptID {
    AttemptID(try number())
  }

  mutating func digest() throws(EngineFrameError) -> SHA256Digest {
    guard let digest = SHA256Digest(bytes: try bytes(atMost: 32)) else {
      throw EngineFrameError("expected a digest of 32 bytes, found fewer")
    }
    return digest
  }

  mutating func windows() throws(EngineFrameError) -> WindowBytes? {
    guard try flag() else { return nil }
    let base = try bytes(atMost: WireProtocol.windowBytes)
    return WindowBytes(base: base, edited: try bytes(atMost: WireProtocol.windowBytes - base.count))
  }

  mutating func file() throws(EngineFrameError) -> LocalArtefact {
    let artefact = Artefact(
      digest: try digest(), role: try text(atMost: WireProtocol.nameBytes),
      name: try text(atMost: WireProtocol.nameBytes),
      size: Int(try number(atMost: UInt64(WireProtocol.artefactBytes))))
    let path = try text(atMost: 1 << 16)
    let size = Int(try number(atMost: UInt64(Int.max)))
    let changed = Date(timeIntervalSinceReferenceDate: Double(bitPattern: try number()))
    let stamp = FileStamp(size: size, changed: changed, number: Int(try number(atMost: UInt64(Int.max))))
    return LocalArtefact(artefact: artefact, path: path, stamp: stamp)
  }

  /// Throws if something is left.
  func end() throws(EngineFrameError) {
    guard rest.isEmpty else { throw EngineFrameError("expected the end of a frame, found \(rest.count) bytes more") }
  }
}
