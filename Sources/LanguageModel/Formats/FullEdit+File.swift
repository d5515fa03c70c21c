public import Foundation
internal import TensorKernels

extension FullEdit {
  /// The file that holds the changes: `<site>.delta` `[d_out, d_in]`.
  public static let fileName = "full.safetensors"

  /// Writes the changes into a folder that is there. Equal edits give equal bytes.
  ///
  /// - Throws: the file that cannot be written.
  public func write(to folder: URL) throws(InputFileError) {
    try SafetensorsFile.write(
      changes.map { site, change in
        SafetensorsFile.Content(
          name: "\(site).delta", shape: [change.rows, change.columns], elements: change.copyOfElements())
      }, to: folder.appendingPathComponent(Self.fileName).path)
  }

  /// Reads the changes in a folder, for a model of a configuration.
  ///
  /// - Throws: what is missing, or is not a change of one of the model's sites.
  public convenience init(folder: URL, configuration: ModelConfiguration) throws(InputFileError) {
    let file = try SafetensorsFile(path: folder.appendingPathComponent(Self.fileName).path)
    var changes: [(site: Site, change: Matrix)] = []
    for tensor in file.tensors {
      guard tensor.name.hasSuffix(".delta"), let site = Site(tensor.name.dropLast(".delta".count)),
        configuration.sites.contains(site)
      else {
        throw InputFileError(
          file: file.path, place: tensor.name,
          problem: "expected the change of a site of the model, such as \(configuration.sites[0]).delta, found this",
          advice: "check that the edit and the model belong together")
      }
      let shape = configuration.shape(of: site)
      let change = try file.matrix(tensor.name, rows: shape.outputs, columns: shape.inputs)
      try file.requireFinite(change, tensor.name)
      changes.append((site, Matrix(copying: change)))
    }
    guard !changes.isEmpty else {
      throw InputFileError(
        file: file.path, problem: "expected changes, found no tensor", advice: "write the edit again")
    }
    self.init(changes.sorted { $0.site < $1.site })
  }
}
