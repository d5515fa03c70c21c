internal import ContentHash
internal import Foundation
internal import SweepCore
internal import SweepReport
internal import SweepStore
internal import TensorKernels

/// Writes a store, its sweep files, its exports and where they come from as one archive.
struct BundleWriter {
  /// A file to be put into the archive.
  private struct Part {
    let name: String
    let content: Content

    enum Content {
      case bytes(Data)
      case file(URL)
    }
  }

  private let reader: StoreReader
  private let output: URL

  init(_ reader: StoreReader, to output: URL) {
    self.reader = reader
    self.output = output
  }

  /// Writes the bundle, which appears as a whole or not at all.
  ///
  /// - Throws: ``BundleError``, also where something other than an older file would have to go; what a store throws.
  func write(at time: Date = Date()) throws -> BundleManifest {
    let manager = FileManager.default
    let output = output.resolvingSymlinksInPath()
    if let kind = try? manager.attributesOfItem(atPath: output.path)[.type] as? FileAttributeType {
      guard kind == .typeRegular else {
        throw BundleError(self.output.relativePath, "expected the name of a file to write, found what is no file")
      }
      guard output != URL(fileURLWithPath: reader.path).resolvingSymlinksInPath() else {
        throw BundleError(self.output.relativePath, "expected another name than the store's")
      }
    }
    let folder = output.deletingLastPathComponent()
    let scratch = folder.appending(path: ".\(output.lastPathComponent).\(UUID().uuidString)")
    do {
      try manager.createDirectory(at: scratch, withIntermediateDirectories: false)
    } catch {
      throw BundleError(output.relativePath, "expected a folder that can be written to (\(error.localizedDescription))")
    }
    defer { try? manager.removeItem(at: scratch) }
    let copy = scratch.appending(path: "store.sqlite")
    try reader.copy(to: copy.path)
    // From here on all is read from the copy, which stands still.
    let (parts, manifest) = try collect(StoreReader(path: copy.path), copy, time)
    let archive = scratch.appending(path: "bundle.tar")
    do {
      try write([manifestPart(manifest)] + parts, to: archive)
      try FileReplacement.move(archive.path, to: output.path)
    } catch let error as BundleError {
      throw error
    } catch {
      throw BundleError(self.output.relativePath, "the bundle cannot be written: \(error.localizedDescription)")
    }
    return manifest
  }

  private func collect(
    _ reader: StoreReader, _ copy: URL, _ time: Date
  ) throws -> (parts: [Part], manifest: BundleManifest) {
    var parts = [Part(name: "store.sqlite", content: .file(copy))]
    var sweeps: [BundleManifest.Sweep] = []
    var inputs: Set<BundleManifest.Input> = []
    for (number, sweep) in try reader.sweeps().enumerated() {
      // Sweeps of one name are told apart by a number.
      let isFirst = !sweeps.contains { $0.name == sweep.description.name }
      let name = sweep.description.name + (isFirst ? "" : "-\(number + 1)")
      let report = try ReportedSweep(sweep, in: reader)
      let file = "\(name).yaml"
      parts.append(Part(name: file, content: .bytes(Data(sweep.description.file.utf8))))
      parts += report.exportedFiles().map { Part(name: "\(name)/\($0.name)", content: .bytes(Data($0.text.utf8))) }
      for record in report.records {
        for (role, digest) in record.cell.specification.files { inputs.insert(.init(role: role, sha256: digest)) }
      }
      sweeps.append(
        BundleManifest.Sweep(
          name: sweep.description.name, digest: sweep.description.digest, file: file, cells: report.records.count,
          completed: report.records.count { $0.state == .completed }))
    }
    let manifest = BundleManifest(
      format: BundleManifest.format, store: "store.sqlite", sweeps: sweeps, members: try parts.map(member),
      inputs: inputs.sorted { ($0.role, $0.sha256.hexadecimal) < ($1.role, $1.sha256.hexadecimal) },
      environment: .here(at: time))
    return (parts, manifest)
  }

  private func manifestPart(_ manifest: BundleManifest) -> Part {
    Part(name: BundleManifest.name, content: .bytes(Data(CanonicalJSON.encode(manifest))))
  }

  private func member(_ part: Part) throws -> BundleManifest.Member {
    switch part.content {
    case .bytes(let data):
      BundleManifest.Member(name: part.name, size: data.count, sha256: SHA256Digest(of: data))
    case .file(let url):
      BundleManifest.Member(name: part.name, size: try size(of: url), sha256: try SHA256Digest(ofFile: url))
    }
  }

  private func size(of url: URL) throws -> Int {
    try url.resourceValues(forKeys: [.fileSizeKey]).fileSize ?? 0
  }

  private func write(_ parts: [Part], to archive: URL) throws {
    try Data().write(to: archive)
    let handle = try FileHandle(forWritingTo: archive)
    defer { try? handle.close() }
    for part in parts {
      let size =
        switch part.content {
        case .bytes(let data): data.count
        case .file(let url): try self.size(of: url)
        }
      guard part.name.utf8.count <= 100, size < TarHeader.sizeLimit else {
        throw BundleError(
          output.relativePath, "expected files of at most 8 GiB with names of at most 100 bytes, found \(part.name)")
      }
      let header = TarHeader(name: part.name, size: size)
      try handle.write(contentsOf: Data(header.block))
      switch part.content {
      case .bytes(let data): try handle.write(contentsOf: data)
      case .file(let url):
        let source = try FileHandle(forReadingFrom: url)
        defer { try? source.close() }
        while let chunk = try source.read(upToCount: 1 << 20), !chunk.isEmpty { try handle.write(contentsOf: chunk) }
      }
      try handle.write(contentsOf: Data(count: header.padding))
    }
    try handle.write(contentsOf: Data(count: 2 * TarHeader.blockSize))
    try handle.synchronize()
  }
}
