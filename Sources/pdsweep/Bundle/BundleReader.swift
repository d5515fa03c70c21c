internal import ContentHash
internal import Foundation
internal import SweepCore
internal import SweepStore

/// Takes a bundle apart. Nothing in a bundle is trusted: it holds the plain files that its manifest lists, with their
/// digests, and they go into one new folder.
struct BundleReader {
  /// Most files of a bundle.
  private static let mostMembers = 100_000

  private let path: String

  init(path: String) {
    self.path = path
  }

  /// Writes the bundle's files into a folder that is not there yet; it appears as a whole or not at all.
  func unpack(into folder: URL) throws -> BundleManifest {
    let manager = FileManager.default
    guard !manager.fileExists(atPath: folder.path) else {
      throw BundleError(folder.relativePath, "expected a folder that is not there yet, found one; name another")
    }
    let handle: FileHandle
    do {
      handle = try FileHandle(forReadingFrom: URL(fileURLWithPath: path))
    } catch {
      throw BundleError(path, "expected a bundle of pdsweep (\(error.localizedDescription))")
    }
    defer { try? handle.close() }
    let scratch = folder.deletingLastPathComponent()
      .appending(path: ".\(folder.lastPathComponent).\(UUID().uuidString)", directoryHint: .isDirectory)
    do {
      try manager.createDirectory(at: scratch, withIntermediateDirectories: false)
    } catch {
      throw BundleError(folder.relativePath, "the folder cannot be made (\(error.localizedDescription))")
    }
    defer { try? manager.removeItem(at: scratch) }
    do {
      let manifest = try unpack(handle, into: scratch)
      _ = try StoreReader(path: scratch.appending(path: manifest.store).path).sweeps()
      try manager.moveItem(at: scratch, to: folder)
      return manifest
    } catch let problem as TarProblem {
      throw BundleError(path, "expected a bundle of pdsweep, \(problem.found); make it again with `pdsweep bundle`")
    } catch let error as CocoaError {
      throw BundleError(folder.relativePath, "the files cannot be written: \(error.localizedDescription)")
    }
  }

  private func unpack(_ handle: FileHandle, into folder: URL) throws -> BundleManifest {
    guard let first = try header(handle), first.name == BundleManifest.name, first.size <= BundleManifest.sizeLimit
    else {
      throw TarProblem("found an archive that does not begin with \(BundleManifest.name)")
    }
    let bytes = try read(first.size, handle)
    try skip(first.padding, handle)
    guard let manifest = try? CanonicalJSON.decode(BundleManifest.self, from: Array(bytes)),
      manifest.format == BundleManifest.format
    else { throw TarProblem("found a \(BundleManifest.name) of another format") }
    try check(manifest)
    try bytes.write(to: folder.appending(path: BundleManifest.name))
    for member in manifest.members {
      guard let found = try header(handle), found.name == member.name, found.size == member.size else {
        throw TarProblem("found no \(member.name.printable) of \(member.size) bytes at its place")
      }
      let digest = try write(member, handle, to: folder.appending(path: member.name))
      guard digest == member.sha256 else { throw TarProblem("found \(member.name) with another SHA-256 than it lists") }
      try skip(found.padding, handle)
    }
    guard try header(handle) == nil else { throw TarProblem("found more files than it lists") }
    let rest = try handle.read(upToCount: 1 << 20) ?? Data()
    guard rest.count >= TarHeader.blockSize else { throw TarProblem("found that it ends too early") }
    guard rest.allSatisfy({ $0 == 0 }) else { throw TarProblem("found something after its end") }
    return manifest
  }

  /// Refuses names that could lead out of the folder, or anywhere but to a new file in it.
  private func check(_ manifest: BundleManifest) throws(TarProblem) {
    guard manifest.members.count <= Self.mostMembers else { throw TarProblem("found too many files") }
    var names: Set<String> = [BundleManifest.name]
    for member in manifest.members {
      let parts = member.name.split(separator: "/", omittingEmptySubsequences: false)
      guard (1...2).contains(parts.count), parts.allSatisfy(Self.isPlain), member.size >= 0 else {
        throw TarProblem("found the file name \(member.name.printable)")
      }
      guard names.insert(member.name).inserted else { throw TarProblem("found \(member.name) twice") }
    }
    guard names.contains(manifest.store), manifest.sweeps.allSatisfy({ names.contains($0.file) }) else {
      throw TarProblem("found a list without the store or a sweep file")
    }
  }

  /// Letters, digits, `-`, `_` and `.`, which do not begin with a dot: as in the names of sweeps.
  private static func isPlain(_ part: Substring) -> Bool {
    !part.isEmpty && part.first != "."
      && part.utf8.allSatisfy { byte in
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
          UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."):
          true
        default: false
        }
      }
  }

  private func header(_ handle: FileHandle) throws -> TarHeader? {
    try TarHeader(block: Array(try read(TarHeader.blockSize, handle)))
  }

  private func write(_ member: BundleManifest.Member, _ source: FileHandle, to file: URL) throws -> SHA256Digest {
    try FileManager.default.createDirectory(at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
    try Data().write(to: file, options: .withoutOverwriting)
    let target = try FileHandle(forWritingTo: file)
    var left = member.size
    while left > 0 {
      let chunk = try read(min(left, 1 << 20), source)
      try target.write(contentsOf: chunk)
      left -= chunk.count
    }
    try target.close()
    return try SHA256Digest(ofFile: file)
  }

  /// Passes over what fills a block up.
  private func skip(_ count: Int, _ handle: FileHandle) throws {
    guard try read(count, handle).allSatisfy({ $0 == 0 }) else { throw TarProblem("found something between its files") }
  }

  private func read(_ count: Int, _ handle: FileHandle) throws -> Data {
    guard count > 0 else { return Data() }
    let data = try handle.read(upToCount: count) ?? Data()
    guard data.count == count else { throw TarProblem("found that it ends too early") }
    return data
  }
}
