public import Foundation

/// A file of an export.
public struct ExportedFile: Sendable, Hashable {
  /// The name in the folder.
  public let name: String
  /// The content.
  public let text: String

  /// Creates a file.
  public init(name: String, text: String) {
    self.name = name
    self.text = text
  }
}

extension ReportedSweep {
  /// The files of an export. All but `provenance.csv` are the same, byte for byte, for the same results.
  public func exportedFiles() -> [ExportedFile] {
    [
      ExportedFile(name: "cells.csv", text: cellsCSV()),
      ExportedFile(name: "steps.csv", text: stepsCSV()),
      ExportedFile(name: "frontier.csv", text: frontierCSV()),
      ExportedFile(name: "windows.csv", text: windowsCSV()),
      ExportedFile(name: "frontier.json", text: frontierJSON()),
      ExportedFile(name: "frontier.svg", text: frontierSVG()),
      ExportedFile(name: "provenance.csv", text: provenanceCSV()),
    ]
  }
}

extension ReportedSweep {
  /// `report.html`: one page that needs no other file and no network.
  ///
  /// - Parameters:
  ///   - rollouts: What its edits do to text, for a section of its own.
  ///   - provenance: How the results were computed, for the page's last section; without it the page is the same, byte
  ///     for byte, for the same results.
  public func reportHTML(rollouts: RolloutDocument? = nil, provenance: SweepProvenance?) -> String {
    ReportPage(sweep: self, rollouts: rollouts, provenance: provenance).html()
  }

  /// The files of a report: the page, its tables in every form, its plots, what stands behind them. All but
  /// `report.html` with a provenance and `provenance.csv` are the same, byte for byte, for the same results.
  public func reportFiles(rollouts: RolloutDocument? = nil, provenance: SweepProvenance?) -> [ExportedFile] {
    var files = [ExportedFile(name: "report.html", text: reportHTML(rollouts: rollouts, provenance: provenance))]
    for table in [headlineTable(), matchedTable(), chosenTable()] {
      files.append(ExportedFile(name: "\(table.name).md", text: table.markdown()))
      files.append(ExportedFile(name: "\(table.name).tex", text: table.latex()))
    }
    files += [
      ExportedFile(name: "headline.csv", text: headlineCSV()), ExportedFile(name: "matched.csv", text: matchedCSV()),
      ExportedFile(name: "attainment.csv", text: attainmentCSV()),
      ExportedFile(name: "tokens.svg", text: tokensSVG()), ExportedFile(name: "attainment.svg", text: attainmentSVG()),
      ExportedFile(name: "matched.svg", text: matchedSVG()), ExportedFile(name: "protocol.json", text: protocolJSON()),
    ]
    if let rollouts {
      let plot = DivergencePlot(sweep: self, rollouts: rollouts)
      files.append(ExportedFile(name: "divergence.svg", text: plot.svg(for: .file)))
      files.append(ExportedFile(name: RolloutDocument.fileName, text: rollouts.json()))
    }
    return files + exportedFiles()
  }
}

/// Writes exports.
public enum ExportFolder {
  /// Writes files into a folder, which is made if it is not there.
  ///
  /// Each file appears whole or not at all: it is written beside its place under another name and then renamed. A
  /// failure leaves the files before it written and the others as they were.
  ///
  /// - Returns: Where the files are, in their order.
  /// - Throws: ``ExportError`` for the first thing that cannot be written.
  @discardableResult
  public static func write(_ files: [ExportedFile], to folder: URL) throws(ExportError) -> [URL] {
    do {
      try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    } catch {
      throw ExportError(action: "make the folder", path: folder.path, cause: error)
    }
    var written: [URL] = []
    for file in files {
      let place = folder.appending(path: file.name, directoryHint: .notDirectory)
      do {
        try Data(file.text.utf8).write(to: place, options: .atomic)
      } catch {
        throw ExportError(action: "write", path: place.path, cause: error)
      }
      written.append(place)
    }
    return written
  }
}

/// Why an export could not be written.
public struct ExportError: Error, Sendable, Hashable, LocalizedError, CustomStringConvertible {
  /// The folder or file.
  public let path: String
  /// One line for people.
  public let description: String

  /// The same line.
  public var errorDescription: String? { description }

  init(action: String, path: String, cause: any Error) {
    self.path = path
    let system = (cause as? CocoaError)?.underlying as? POSIXError
    let reason =
      switch ((cause as? CocoaError)?.code, system?.code) {
      case (.fileWriteOutOfSpace, _): "the disk is full; free some space or choose another folder"
      case (.fileWriteNoPermission, _): "permission denied; choose a folder that you may write to"
      case (.fileWriteVolumeReadOnly, _): "the file system is read-only; choose another folder"
      case (.fileWriteFileExists, _), (_, .ENOTDIR): "a file stands where a folder should; choose another folder"
      case (_, .EISDIR): "a folder stands where the file should; remove it or choose another folder"
      case (_, let code?): "the system says \(code); check the path or choose another folder"
      case (_, nil): "\(Self.line(cause)); check the path or choose another folder"
      }
    description = "cannot \(action) \(path): \(reason)"
  }

  private static func line(_ error: any Error) -> String {
    error.localizedDescription.split(whereSeparator: \.isNewline).joined(separator: " ")
  }
}
