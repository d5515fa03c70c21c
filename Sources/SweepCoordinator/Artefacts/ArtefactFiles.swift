internal import ContentHash
internal import Foundation
internal import SweepCore

/// Reads parts of the files that a sweep is computed from: of those that it names by their digests and no others, as
/// long as they are what they were when the digests were taken. Used on one thread.
struct ArtefactFiles {
  private let files: [SHA256Digest: SweepFile]
  /// Files kept open, the one that was used last at the end.
  private var open: [(digest: SHA256Digest, handle: FileHandle)] = []

  /// The most files kept open.
  private static let mostOpen = 32

  /// Reads the given files only.
  init(_ files: [SweepFile]) {
    self.files = Dictionary(files.map { ($0.digest, $0) }) { first, _ in first }
  }

  /// Why a part cannot be had, for people.
  struct Missing: Error, Hashable {
    let reason: String
  }

  /// The bytes of a file from an offset on: `count` of them, fewer only where the file ends.
  mutating func read(_ digest: SHA256Digest, from offset: Int, count: Int) throws(Missing) -> [UInt8] {
    guard let file = files[digest] else {
      throw Missing(reason: "expected a file of this sweep, found none with SHA-256 \(digest); start the worker again")
    }
    let stamp = FileStamp(path: file.path)
    guard stamp == file.stamp else {
      close(digest)
      let change = stamp == nil ? "is no longer there" : "has changed since the sweep was planned"
      throw Missing(
        reason: "\(file.path): the file \(change); put it back as it was, or start the coordinator again")
    }
    let wanted = min(count, max(0, file.size - offset))
    guard wanted > 0 else { return [] }
    do {
      let handle = try handle(of: file)
      try handle.seek(toOffset: UInt64(offset))
      let content = try handle.read(upToCount: wanted) ?? Data()
      guard content.count == wanted else { throw CocoaError(.fileReadCorruptFile) }
      return Array(content)
    } catch {
      close(digest)
      throw Missing(reason: "\(file.path): the file cannot be read any more (\(error.localizedDescription))")
    }
  }

  private mutating func handle(of file: SweepFile) throws -> FileHandle {
    if let place = open.firstIndex(where: { $0.digest == file.digest }) {
      let entry = open.remove(at: place)
      open.append(entry)
      return entry.handle
    }
    let handle = try FileHandle(forReadingFrom: URL(fileURLWithPath: file.path))
    if open.count >= Self.mostOpen { close(open[0].digest) }
    open.append((file.digest, handle))
    return handle
  }

  private mutating func close(_ digest: SHA256Digest) {
    guard let place = open.firstIndex(where: { $0.digest == digest }) else { return }
    try? open.remove(at: place).handle.close()
  }
}
