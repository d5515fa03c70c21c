internal import TensorKernels

/// A file that `torch.save` wrote: a zip archive with a pickle, `NAME/data.pkl`, and the numbers of each storage as
/// `NAME/data/KEY`. Mapped.
///
/// The pickle is carried out by ``PickleMachine``, which can make tensors and nothing else. Tensors in dictionaries
/// within dictionaries are named by their keys with dots between, as modules name theirs.
struct PyTorchFile: Sendable {
  /// Dictionaries lie in each other no deeper than this in any checkpoint.
  static let deepest = 8
  /// The most places in dictionaries; what stands under many keys is counted under each.
  static let mostPlaces = 1 << 17
  /// Bytes of a tensor's name.
  static let longestName = 1024

  /// The tensors, in the order in which the pickle names them.
  let tensors: [CheckpointFile.Tensor]
  private let archive: ZipArchive

  /// Whether a file's first bytes are those of a file of `torch.save`, of today or of before PyTorch 1.6.
  static func recognises(_ file: MappedFile) -> Bool {
    let start = file.bytes(in: 0..<min(file.count, legacyStart.count))
    return start.starts(with: "PK\u{3}\u{4}".utf8) || start == legacyStart
  }

  /// A pickle of protocol 2 of the number 0x1950A86A20F9469CFC6C.
  private static let legacyStart: [UInt8] = [
    0x80, 0x02, 0x8A, 0x0A, 0x6C, 0xFC, 0x9C, 0x46, 0xF9, 0x20, 0x6A, 0xA8, 0x50, 0x19,
  ]

  /// Opens a file, checks its layout and carries out its pickle.
  init(_ file: MappedFile) throws(InputFileError) {
    guard file.bytes(in: 0..<min(file.count, Self.legacyStart.count)) != Self.legacyStart else {
      throw InputFileError(
        file: file.path, problem: "expected a zip archive, found the form that PyTorch wrote before version 1.6",
        advice: "write it again with PyTorch: torch.save(torch.load(path, weights_only=True), new_path)")
    }
    let archive = try ZipArchive(file)
    self.archive = archive
    let pickles = archive.entries.filter { $0.name.hasSuffix("/data.pkl") && $0.name.count { $0 == "/" } == 1 }
    guard pickles.count == 1 else {
      throw InputFileError(
        file: file.path, problem: "expected one entry NAME/data.pkl, found \(pickles.count)", advice: ZipArchive.advice)
    }
    let folder = pickles[0].name.dropLast("data.pkl".count)
    if let order = archive["\(folder)byteorder"] {
      try archive.requireIntact(order)
      let isLittle = order.bytes.count == 6 && file.bytes(in: order.bytes).elementsEqual("little".utf8)
      guard isLittle else {
        throw InputFileError(
          file: file.path, place: "byteorder", problem: "expected little, found another",
          advice: "write it again on a machine that stores the least significant byte first")
      }
    }
    let content = try Self.content(of: pickles[0], in: archive)
    let storages = try content.storages.map { storage throws(InputFileError) in
      try Self.entry(of: storage, "\(folder)data/\(storage.key)", in: archive)
    }
    var names = StateNames(content)
    do {
      try names.collect(content.root, prefix: "", depth: 0)
    } catch {
      throw InputFileError(file: file.path, place: "data.pkl", problem: error.problem, advice: error.advice)
    }
    tensors = names.found.map { name, tensor in
      let view = content.tensors[tensor]
      let storage = content.storages[view.storage]
      return CheckpointFile.Tensor(
        name: name, type: storage.type, shape: view.shape, strides: view.strides,
        start: storages[view.storage].bytes.lowerBound + view.offset * storage.type.byteCount,
        stored: storages[view.storage].bytes)
    }
  }

  /// Holds the numbers of tensors against the archive's checksums.
  func requireIntact(_ tensors: [CheckpointFile.Tensor]) throws(InputFileError) {
    let used = Set(tensors.map(\.stored))
    for entry in archive.entries where used.contains(entry.bytes) { try archive.requireIntact(entry) }
  }

  private static func content(
    of pickle: ZipArchive.Entry, in archive: ZipArchive
  ) throws(InputFileError) -> PickleContent {
    guard pickle.bytes.count <= PickleMachine.largestPickle else {
      throw InputFileError(
        file: archive.file.path, place: "data.pkl",
        problem: "expected at most \(PickleMachine.largestPickle) bytes, found \(pickle.bytes.count)",
        advice: "write its tensors alone: torch.save(model.state_dict(), path)")
    }
    try archive.requireIntact(pickle)
    do {
      return try PickleMachine.run(archive.file.bytes(in: pickle.bytes))
    } catch {
      throw InputFileError(
        file: archive.file.path, place: "data.pkl, byte \(error.offset)", problem: error.problem,
        advice: error.advice)
    }
  }

  private static func entry(
    of storage: PickleContent.Storage, _ name: String, in archive: ZipArchive
  ) throws(InputFileError) -> ZipArchive.Entry {
    func wrong(_ expected: String, _ found: String) -> InputFileError {
      InputFileError(
        file: archive.file.path, place: "entry \(quoted(name))", problem: "expected \(expected), found \(found)",
        advice: ZipArchive.advice)
    }
    guard let entry = archive[name] else { throw wrong("the numbers of a storage", "no such entry") }
    let (size, overflow) = storage.count.multipliedReportingOverflow(by: storage.type.byteCount)
    guard !overflow, entry.bytes.count == size else {
      throw wrong("\(storage.count) numbers of \(storage.type.rawValue)", "\(entry.bytes.count) bytes")
    }
    return entry
  }
}

/// Gathers the tensors of a state dict by name.
private struct StateNames {
  private let content: PickleContent
  private var known: Set<String> = []
  private var places = 0
  private(set) var found: [(name: String, tensor: Int)] = []

  init(_ content: PickleContent) {
    self.content = content
  }

  mutating func collect(_ value: PickleValue, prefix: String, depth: Int) throws(PickleError) {
    switch value {
    case .dictionary(let number):
      guard depth < PyTorchFile.deepest else { throw Self.problem("a few dictionaries in each other", "more") }
      for (key, value) in content.dictionaries[number] {
        guard let key = Self.text(of: key) else {
          throw Self.problem("keys that are text or whole numbers", key.kind)
        }
        places += 1
        guard places <= PyTorchFile.mostPlaces else {
          throw Self.problem("at most \(PyTorchFile.mostPlaces) values in dictionaries", "more")
        }
        guard prefix.utf8.count + key.utf8.count < PyTorchFile.longestName else {
          throw Self.problem("names of at most \(PyTorchFile.longestName) bytes", quoted(key))
        }
        try collect(value, prefix: depth == 0 ? key : "\(prefix).\(key)", depth: depth + 1)
      }
    case .tensor(let number):
      guard depth > 0 else { throw Self.problem("a dictionary of tensors", value.kind) }
      guard known.insert(prefix).inserted else { throw Self.problem("each name once", quoted(prefix) + " again") }
      found.append((prefix, number))
    case .none, .bool, .integer, .real, .text, .bytes, .tuple, .list, .global, .storage:
      // Counters, settings and what else is kept beside the tensors.
      guard depth > 0 else { throw Self.problem("a dictionary of tensors", value.kind) }
    }
  }

  private static func text(of key: PickleValue) -> String? {
    switch key {
    case .text(let text): text
    case .integer(let number): "\(number)"
    case .none, .bool, .real, .bytes, .tuple, .list, .dictionary, .global, .storage, .tensor: nil
    }
  }

  private static func problem(_ expected: String, _ found: String) -> PickleError {
    PickleError(
      offset: 0, problem: "expected \(expected), found \(found)",
      advice: "write its tensors alone: torch.save(model.state_dict(), path)")
  }
}
