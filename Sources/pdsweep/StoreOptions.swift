internal import ArgumentParser
internal import Foundation
internal import SweepReport
internal import SweepStore

/// A store to read, and the sweep in it.
struct StoreOptions: ParsableArguments {
  @Argument(
    help: ArgumentHelp(
      "The store of a sweep.", discussion: "Where there is one *.sqlite file in the working directory, it is that."),
    completion: .file(extensions: ["sqlite"]))
  var store: String?

  @Option(
    help: ArgumentHelp(
      "The sweep of this name.", discussion: "Otherwise, and of several with the name, the one that ran last.",
      valueName: "name"))
  var sweep: String?

  /// Opens the store and finds the sweep.
  func open() throws -> (reader: StoreReader, sweep: SweepRecord) {
    let (reader, sweeps) = try openAll()
    return (reader, sweeps[0])
  }

  /// Opens the store and finds the sweep that was named, or all sweeps: at least one, the one that ran last first.
  func openAll() throws -> (reader: StoreReader, sweeps: [SweepRecord]) {
    let reader = try StoreReader(path: try path())
    let sweeps = try reader.sweeps()
    if let named = sweeps.first(where: { $0.description.name == sweep }) { return (reader, [named]) }
    if sweep == nil, !sweeps.isEmpty { return (reader, sweeps) }
    let names = Set(sweeps.map(\.description.name)).sorted().joined(separator: ", ")
    throw StoreChoiceError(
      description:
        "\(reader.path): expected a sweep \(sweep.map { "named \($0.printable)" } ?? "in it"), found "
        + (names.isEmpty ? "none" : "only \(names)"))
  }

  /// The sweep with all that is known of its cells.
  func reportedSweep() throws -> ReportedSweep {
    let (reader, sweep) = try open()
    return try ReportedSweep(sweep, in: reader)
  }

  private func path() throws -> String {
    if let store { return store }
    let folder = FileManager.default.currentDirectoryPath
    let found = try FileManager.default.contentsOfDirectory(atPath: folder).filter { $0.hasSuffix(".sqlite") }.sorted()
    guard let only = found.first, found.count == 1 else {
      throw StoreChoiceError(
        description: "expected one store (*.sqlite) in the working directory, found "
          + (found.isEmpty ? "none" : found.joined(separator: ", ")) + "; name the store")
    }
    return only
  }
}

extension ReportedSweep {
  /// Reads a sweep's cells.
  init(_ sweep: SweepRecord, in reader: StoreReader) throws(StoreError) {
    self.init(
      name: sweep.description.name, vocabularySize: sweep.description.vocabularySize, goal: sweep.description.goal,
      records: try reader.records(of: sweep.id), selections: sweep.description.selections)
  }
}

/// There is no telling which store or sweep is meant.
struct StoreChoiceError: Error, CustomStringConvertible {
  /// One line for people.
  let description: String
}
