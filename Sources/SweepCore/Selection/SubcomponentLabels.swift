internal import SettingsFiles

/// Labels of subcomponents from elsewhere: a file of comma-separated values with the columns `subcomponent` and `label`.
struct SubcomponentLabels {
  private static let header = ["subcomponent", "label"]

  private let file: String
  private let labels: [SubcomponentPath: String]
  /// Where each stands.
  private let places: [(path: SubcomponentPath, position: SettingsError.Position)]

  /// Reads a file.
  ///
  /// - Throws: the first thing that is wrong with it, with its line.
  init(csv bytes: [UInt8], file: String) throws(SettingsError) {
    var labels: [SubcomponentPath: String] = [:]
    var places: [(path: SubcomponentPath, position: SettingsError.Position)] = []
    var reader = try CommaSeparatedReader(bytes, file: file)
    guard let header = try reader.next(), header.map(\.text) == Self.header else {
      throw SettingsError(
        file: file, position: .init(line: 1, column: 1), keyPath: "",
        problem: "expected the header \(Self.header.joined(separator: ",")), found another line",
        advice: "begin the file with it")
    }
    while let fields = try reader.next() {
      guard fields.count == Self.header.count else {
        throw fields[0].refusal(
          file, "expected two fields, a subcomponent and its label, found \(fields.count)",
          advice: "put a label that holds a comma in double quotes, and leave no line empty")
      }
      guard let path = SubcomponentPath(fields[0].text) else {
        throw fields[0].refusal(
          file, "expected a subcomponent, as in h.1.mlp.c_fc:8, found \(fields[0].shown)", advice: "mend the name")
      }
      guard !fields[1].text.isEmpty else {
        throw fields[1].refusal(file, "expected a label, found nothing", advice: "remove the line")
      }
      guard labels.updateValue(fields[1].text, forKey: path) == nil else {
        throw fields[0].refusal(
          file, "expected each subcomponent once, found \(path) again", advice: "keep one of its labels")
      }
      places.append((path, fields[0].position))
    }
    self.file = file
    self.labels = labels
    self.places = places
  }

  /// The label of a subcomponent, if it has one.
  subscript(path: SubcomponentPath) -> String? { labels[path] }

  /// The labels, each once.
  var distinct: Set<String> { Set(labels.values) }

  /// Refuses labels of subcomponents that there are not.
  func check(against catalogue: SubcomponentCatalogue, decomposition: String) throws(SettingsError) {
    let known = Set(catalogue.entries.map(\.path))
    guard let unknown = places.first(where: { !known.contains($0.path) }) else { return }
    throw SettingsError(
      file: file, position: unknown.position, keyPath: "",
      problem: "expected a subcomponent of \(decomposition), found \(unknown.path)",
      advice: "remove the line, or name the decomposition that the labels are of")
  }
}
