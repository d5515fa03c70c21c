internal import ContentHash
internal import Foundation
internal import SweepCore
internal import SwiftProtobuf

extension ToWorker {
  /// The message cut into such as may be sent each.
  var parts: [ToWorker] {
    switch self {
    case .lease(let cells): Self.runs(of: cells).map { .lease($0) }
    case .acknowledge(let attempts) where attempts.count > WireProtocol.listCount:
      Self.chunks(of: attempts).map { .acknowledge($0) }
    case .revoke(let attempts) where attempts.count > WireProtocol.listCount:
      Self.chunks(of: attempts).map { .revoke($0) }
    case .acknowledge, .revoke, .welcome, .drain, .refuse, .artefactChunk, .artefactMissing: [self]
    }
  }

  private static func chunks<Element>(of list: [Element]) -> [[Element]] {
    stride(from: 0, to: list.count, by: WireProtocol.listCount).map {
      Array(list[$0..<min($0 + WireProtocol.listCount, list.count)])
    }
  }

  /// Cuts a list of cells wherever a message would hold too many cells or too many bytes.
  private static func runs(of cells: [LeasedCell]) -> [[LeasedCell]] {
    // Tags, lengths and numbers around the bytes of a cell.
    let overhead = 64
    var runs: [[LeasedCell]] = [[]]
    var size = overhead
    for cell in cells {
      let added = cell.cell.count + 5 * cell.artefacts.count + overhead
      if runs[runs.count - 1].count == WireProtocol.listCount || size + added > WireProtocol.replyBytes {
        runs.append([])
        size = overhead
      }
      runs[runs.count - 1].append(cell)
      size += added
    }
    return runs
  }
}

extension ProtoToWorker {
  /// Encodes a message.
  init(_ message: ToWorker) {
    switch message {
    case .welcome(let welcome): self.welcome = ProtoWelcome(welcome)
    case .lease(let cells): lease = .with { $0.cells = cells.map(ProtoLeasedCell.init) }
    case .acknowledge(let attempts): acknowledge = .with { $0.attempts = attempts.map(\.number) }
    case .revoke(let attempts): revoke = .with { $0.attempts = attempts.map(\.number) }
    case .drain: drain = ProtoDrain()
    case .refuse(let reason): refuse = .with { $0.reason = reason.asText }
    case .artefactChunk(let chunk):
      precondition(chunk.content.count <= WireProtocol.chunkBytes, "a part of an artefact is too long to be sent")
      artefactChunk = .with {
        $0.digest = Data(chunk.digest.bytes)
        $0.offset = UInt64(chunk.offset)
        $0.content = Data(chunk.content)
        $0.receipt = chunk.receipt
      }
    case .artefactMissing(let digest, let reason):
      artefactMissing = .with {
        $0.digest = Data(digest.bytes)
        $0.reason = reason.asText
      }
    }
  }
}

extension ToWorker {
  /// Reads a message that has been parsed.
  init(_ message: ProtoToWorker) throws(WireError) {
    switch message.kind {
    case .welcome(let welcome): self = .welcome(try Welcome(welcome))
    case .lease(let lease):
      self = .lease(
        try bounded(lease.cells, "leased cells").map { cell throws(WireError) in try LeasedCell(cell) })
    case .acknowledge(let list): self = .acknowledge(try attempts(list.attempts, "acknowledged attempts"))
    case .revoke(let list): self = .revoke(try attempts(list.attempts, "revoked attempts"))
    case .drain: self = .drain
    case .refuse(let refuse): self = .refuse(reason: try line(refuse.reason, "a refusal's reason"))
    case .artefactChunk(let chunk):
      self = .artefactChunk(
        ArtefactChunk(
          digest: try digest(Array(chunk.digest), "an artefact's digest"),
          offset: try bounded(chunk.offset, 0...WireProtocol.artefactBytes, "an offset"),
          content: try bounded(Array(chunk.content), 0...WireProtocol.chunkBytes, "a part of an artefact"),
          receipt: chunk.receipt))
    case .artefactMissing(let missing):
      self = .artefactMissing(
        digest: try digest(Array(missing.digest), "an artefact's digest"),
        reason: try line(missing.reason, "a reason"))
    case nil: throw .malformed("no message at all")
    }
  }
}

extension ProtoWelcome {
  init(_ welcome: Welcome) {
    precondition(welcome.artefacts.count <= WireProtocol.listCount, "a sweep has too many artefacts")
    sweep = welcome.sweep.asName
    coordinatorID = welcome.coordinatorID.asName
    storeID = welcome.storeID.asName
    artefacts = welcome.artefacts.map(ProtoArtefact.init)
    heartbeatIntervalNanoseconds = UInt64(welcome.heartbeatInterval.nanoseconds)
    lostAfterNanoseconds = UInt64(welcome.lostAfter.nanoseconds)
  }
}

extension Welcome {
  init(_ welcome: ProtoWelcome) throws(WireError) {
    self.init(
      sweep: try name(welcome.sweep, "a sweep's name"),
      coordinatorID: try name(welcome.coordinatorID, "a coordinator's name"),
      storeID: try name(welcome.storeID, "a store's name"),
      artefacts: try bounded(welcome.artefacts, "artefacts").map { artefact throws(WireError) in
        try Artefact(artefact)
      },
      heartbeatInterval: try interval(welcome.heartbeatIntervalNanoseconds, "nanoseconds between heartbeats"),
      lostAfter: try interval(welcome.lostAfterNanoseconds, "nanoseconds of silence"))
  }
}

extension ProtoArtefact {
  init(_ artefact: Artefact) {
    digest = Data(artefact.digest.bytes)
    role = artefact.role.asName
    name = artefact.name.asName
    size = UInt64(artefact.size)
  }
}

extension Artefact {
  init(_ artefact: ProtoArtefact) throws(WireError) {
    self.init(
      digest: try SweepWire.digest(Array(artefact.digest), "an artefact's digest"),
      role: try SweepWire.name(artefact.role, "an artefact's role"),
      name: try SweepWire.name(artefact.name, "a file's name"),
      size: try bounded(artefact.size, 0...WireProtocol.artefactBytes, "an artefact's size"))
  }
}

extension ProtoLeasedCell {
  init(_ cell: LeasedCell) {
    precondition(cell.cell.count <= WireProtocol.cellBytes, "a cell is too large to be sent")
    attempt = cell.attempt.number
    index = UInt64(cell.index)
    self.cell = Data(cell.cell)
    artefacts = cell.artefacts.map { UInt32($0) }
  }
}

extension LeasedCell {
  init(_ cell: ProtoLeasedCell) throws(WireError) {
    self.init(
      attempt: try SweepWire.attempt(cell.attempt),
      index: try bounded(cell.index, 0...(Int.max >> 1), "a cell's index"),
      cell: try bounded(Array(cell.cell), 1...WireProtocol.cellBytes, "a cell"),
      artefacts: try bounded(cell.artefacts, "a cell's artefacts").map { place throws(WireError) in
        try bounded(place, 0...(WireProtocol.listCount - 1), "an artefact's place")
      })
  }
}
