internal import ArgumentParser
internal import ContentHash
internal import Foundation
internal import SettingsFiles
internal import SweepCore
internal import SweepReport
internal import SweepStore
internal import SweepWire
internal import SweepWorker

/// A sweep in a store whose edits are to be trained again, and where its files are now.
struct ReplayOptions: ParsableArguments {
  @OptionGroup var store: StoreOptions

  @Option(
    help: ArgumentHelp(
      "The sweep's target model: a folder, or a name.",
      discussion: "Otherwise what the sweep file names, relative to the store's folder; see `pdsweep target`.",
      valueName: "folder"),
    completion: .directory)
  var target: String?

  @Option(
    help: ArgumentHelp(
      "Find the corpora in this folder, by their file names.",
      discussion: "Otherwise their paths in the sweep file are relative to the store's folder.", valueName: "folder"),
    completion: .directory)
  var corpora: String?

  @Option(
    help: ArgumentHelp(
      "Take the finished edit of this cell; may be repeated.", discussion: "Otherwise edits are chosen.",
      valueName: "number"))
  var cell: [Int] = []

  @Flag(help: "Write no progress.")
  var quiet = false

  /// Reads the sweep.
  ///
  /// - Parameter choose: what is taken where no cell is named.
  /// - Throws: where there is nothing to take.
  func sweep(choosing choose: (FrontierAnalysis) -> [EditChoice]) throws -> SweepReplay {
    let (reader, record) = try store.open()
    let sweep = try ReportedSweep(record, in: reader)
    let wanted: [SweepReplay.Wanted]
    if cell.isEmpty {
      wanted = choose(sweep.analysis).map { SweepReplay.Wanted(point: $0.point, reasons: $0.reasons) }
      guard !wanted.isEmpty else {
        throw StoreChoiceError(
          description: "\(reader.path): expected completed cells whose edits change the model, found none")
      }
    } else {
      wanted = try Set(cell).sorted().map { number in
        guard let point = sweep.analysis.points.last(where: { $0.cell.index == number }) else {
          throw StoreChoiceError(
            description: "--cell: expected a completed cell of \(sweep.name), found \(number), which is "
              + (sweep.records.first { $0.cell.index == number }?.state.rawValue ?? "none of its cells"))
        }
        return SweepReplay.Wanted(point: point, reasons: [])
      }
    }
    let files = try files(of: wanted.map(\.point.cell.specification), record.description, store: reader.path)
    return SweepReplay(sweep: sweep, wanted: wanted, files: files)
  }

  /// Finds the files that cells name, wherever they are now.
  private func files(
    of cells: [CellSpecification], _ sweep: SweepDescription, store: String
  ) throws -> [LocalArtefact] {
    let spec = try SweepSpec(yaml: Array(sweep.file.utf8), file: store)
    let resolver = SweepResolver(
      sweepFile: URL(fileURLWithPath: store), target: target, corpora: corpora, shelves: TargetShelves.all)
    let found = try resolver.files(of: spec).all
    var files: [SHA256Digest: LocalArtefact] = [:]
    for (role, digest) in cells.flatMap(\.files) where files[digest] == nil {
      guard let (_, file) = found.first(where: { $0.file.digest == digest }) else {
        let other = found.first { $0.role == role || $0.role.hasPrefix(role + ":") }
        throw StoreChoiceError(
          description: "\(role): expected the file with SHA-256 \(digest) that \(sweep.name) was computed from, found "
            + (other.map { "\($0.file.digest) at \($0.file.path)" } ?? "no such file")
            + "; say where it lies with \(role.contains(":") ? "--corpora" : "--target") FOLDER")
      }
      files[digest] = LocalArtefact(
        artefact: Artefact(
          digest: digest, role: role, name: URL(fileURLWithPath: file.path).lastPathComponent, size: file.size),
        path: file.path, stamp: file.stamp)
    }
    return Array(files.values)
  }
}
