import ContentHash
import Foundation
import SweepCore
import SweepWire
import SweepWorker

extension WorkerIdentity {
  static let example = WorkerIdentity(
    workerID: WorkerID("node-7-ab"), engineVersion: "1.2.3", engineRevision: CellSpecification.engineRevision,
    host: "node", processIdentifier: 7, cores: 2, memoryMiB: 4096, slots: 1, build: "build")
}

extension Instant {
  /// A moment in seconds.
  init(_ seconds: Double) {
    self.init(nanoseconds: Int64(seconds * 1e9))
  }
}

/// A welcome as a coordinator would say it: heartbeats every 0.5 s, lost after 2 s.
func welcome(store: String = "store", artefacts: [Artefact] = []) -> Welcome {
  Welcome(
    sweep: "sweep", coordinatorID: "coordinator", storeID: store, artefacts: artefacts,
    heartbeatInterval: .milliseconds(500), lostAfter: .seconds(2))
}

func lease(_ number: UInt64, files: [Int] = []) -> LeasedCell {
  LeasedCell(attempt: AttemptID(number), index: Int(number), cell: [0x7b, 0x7d], artefacts: files)
}

/// A file of a sweep, by a name of the test's.
func artefact(_ name: String, size: Int) -> Artefact {
  Artefact(digest: SHA256Digest(of: name), role: name, name: name, size: size)
}

/// A file that is here.
func local(_ artefact: Artefact, version: Int = 1) -> LocalArtefact {
  LocalArtefact(
    artefact: artefact, path: "/\(artefact.name)",
    stamp: FileStamp(size: artefact.size, changed: Date(timeIntervalSince1970: 0), number: version))
}

func outcome(_ number: UInt64, windows: WindowBytes? = nil) -> AttemptResult {
  AttemptResult(
    attempt: AttemptID(number), fingerprint: SHA256Digest(of: "cell"), result: [0x7b, 0x7d], report: [0x7b, 0x7d],
    windows: windows)
}

func handedBack(_ number: UInt64, _ message: String) -> FromWorker {
  .failure(attempt: AttemptID(number), CellFailure(kind: .preempted, message: message))
}
