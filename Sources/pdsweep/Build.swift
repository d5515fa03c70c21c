internal import ContentHash
internal import Foundation

/// Which build of the program this process runs.
enum Build {
  /// The same for equal executables, and another for others, as far as samples tell: the digest of the executable's
  /// size and of parts taken evenly from all of it, in some milliseconds where the whole would take seconds.
  static let name: String = {
    guard let handle = FileHandle(forReadingAtPath: "/proc/self/exe"), let size = try? handle.seekToEnd() else {
      return PDSweep.version
    }
    defer { try? handle.close() }
    let samples: UInt64 = 64
    var bytes = Array("\(size)".utf8)
    for sample in 0..<samples {
      guard (try? handle.seek(toOffset: size / samples * sample)) != nil,
        let content = try? handle.read(upToCount: 16 << 10)
      else { return PDSweep.version }
      bytes += content
    }
    return "\(PDSweep.version)-\(SHA256Digest(of: bytes).hexadecimal.prefix(16))"
  }()
}
