public import Foundation

/// A coordinator's keys: a folder of text files that only its owner can use.
///
///     coordinator.key   the coordinator's own secret
///     admitted          the workers that are admitted: a line each with name, public key and the day it was made
///     NAME.key          what is to be carried to worker NAME; the coordinator does not read it again
///
/// Files are replaced whole, so that a coordinator that runs sees either the old list or the new one.
public struct KeyFolder: Sendable {
  /// Where it is.
  public let path: String

  /// Names a folder, without looking at it.
  public init(_ path: String) {
    self.path = path
  }

  /// Makes a key for a worker, admits it, and returns the path of the file to be carried to the worker. Makes the
  /// folder and the coordinator's own key if they are not there.
  ///
  /// - Throws: ``KeyError``; then the worker is not admitted.
  public func add(_ name: WorkerKeyName, at date: Date) throws(KeyError) -> String {
    try PrivateFile.makeFolder(path)
    return try PrivateFile.locking(path) { () throws(KeyError) in
      if PrivateFile.stamp(coordinatorFile) == nil { try writeCoordinatorKey() }
      let coordinator = try coordinatorKeys().publicKey
      var admitted = PrivateFile.stamp(listFile) == nil ? [] : try self.admitted()
      guard !admitted.contains(where: { $0.name == name }) else {
        throw KeyError.nameTaken(name.description, folder: path)
      }
      let key = WorkerKey(name: name, pair: try .make(), coordinator: coordinator)
      let file = workerFile(name)
      // First, so that a crash leaves a file that admits nobody, and not a name that nobody has the key of.
      try PrivateFile.write(key.fileContent, to: file)
      admitted.append(AdmittedKey(name: name, publicKey: key.pair.publicKey, made: date.formatted(.iso8601)))
      try write(admitted)
      return file
    }
  }

  /// Takes a worker's key back. A coordinator that runs cuts the worker off within a second.
  ///
  /// - Throws: ``KeyError``; then the worker is still admitted.
  public func revoke(_ name: WorkerKeyName) throws(KeyError) {
    guard PrivateFile.stamp(listFile) != nil else { throw .noCoordinatorKey(folder: path) }
    try PrivateFile.locking(path) { () throws(KeyError) in
      let admitted = try self.admitted()
      guard admitted.contains(where: { $0.name == name }) else {
        throw KeyError.unknownName(
          name.description, folder: path, known: admitted.map(\.name).sorted().map(\.description))
      }
      try write(admitted.filter { $0.name != name })
      try PrivateFile.remove(workerFile(name))
    }
  }

  /// The workers that are admitted, in the order in which their keys were made.
  ///
  /// - Throws: ``KeyError``, also if the list can be written to by others.
  public func admitted() throws(KeyError) -> [AdmittedKey] {
    var admitted: [AdmittedKey] = []
    var names: Set<WorkerKeyName> = []
    var keys: Set<CurvePublicKey> = []
    let lines: [Substring]
    do throws(KeyError) {
      lines = try PrivateFile.lines(of: listFile, shared: 0o044)
    } catch .missing {
      throw .noCoordinatorKey(folder: path)
    }
    for (index, line) in lines.enumerated() where !line.isEmpty && !line.hasPrefix("#") {
      let parts = line.split(separator: " ")
      guard parts.count == 3, let name = try? WorkerKeyName(String(parts[0])), let key = CurvePublicKey(parts[1]),
        names.insert(name).inserted, keys.insert(key).inserted
      else {
        throw .malformed(
          path: listFile, line: index + 1, expected: "`NAME KEY DATE` with a name and a key that no line before has")
      }
      admitted.append(AdmittedKey(name: name, publicKey: key, made: String(parts[2])))
    }
    return admitted
  }

  /// The coordinator's own keys.
  func coordinatorKeys() throws(KeyError) -> CurveKeyPair {
    do throws(KeyError) {
      let fields = try KeyFields(file: coordinatorFile, names: ["secret"])
      return try CurveKeyPair(try fields.read("secret", "40 characters of Z85") { CurveSecretKey($0) })
    } catch .missing {
      throw .noCoordinatorKey(folder: path)
    }
  }

  /// What the list of workers is recognised by; another after every change.
  func listStamp() -> PrivateFile.Stamp? {
    PrivateFile.stamp(listFile)
  }

  private var coordinatorFile: String { path + "/coordinator.key" }
  private var listFile: String { path + "/admitted" }

  private func workerFile(_ name: WorkerKeyName) -> String {
    "\(path)/\(name).key"
  }

  private func writeCoordinatorKey() throws(KeyError) {
    let secret = try CurveKeyPair.make().secretKey.text
    try PrivateFile.write(
      """
      # pdsweep key of the coordinator. Secret: whoever has this file can pass for the coordinator.
      secret: \(secret)

      """, to: coordinatorFile)
  }

  private func write(_ admitted: [AdmittedKey]) throws(KeyError) {
    let lines = admitted.map { "\($0.name) \($0.publicKey) \($0.made)\n" }.joined()
    try PrivateFile.write(
      "# Workers that the coordinator admits; changed by `pdsweep keys new` and `pdsweep keys revoke`.\n" + lines,
      to: listFile)
  }
}

/// A worker that a coordinator admits.
public struct AdmittedKey: Sendable, Hashable {
  /// Its name.
  public let name: WorkerKeyName
  /// The key that it proves to have.
  public let publicKey: CurvePublicKey
  /// When the key was made, ISO 8601.
  public let made: String
}
