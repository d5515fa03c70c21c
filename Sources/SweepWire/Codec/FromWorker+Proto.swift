internal import ContentHash
internal import Foundation
internal import SweepCore
internal import SwiftProtobuf

extension ProtoFromWorker {
  /// Encodes a message.
  init(_ message: FromWorker) {
    switch message {
    case .hello(let hello): self.hello = ProtoHello(hello)
    case .ready(let credit): ready = .with { $0.credit = UInt32(credit) }
    case .heartbeat(let progress):
      precondition(progress.count <= WireProtocol.listCount, "a worker holds too many attempts")
      heartbeat = .with { $0.progress = progress.map(ProtoProgress.init) }
    case .result(let result): self.result = ProtoResult(result)
    case .failure(let attempt, let failure):
      self.failure = .with {
        $0.attempt = attempt.number
        $0.kind = ProtoFailureKind(failure.kind)
        $0.message = failure.message.asText
      }
    case .goodbye(let reason): goodbye = .with { $0.reason = reason.asText }
    case .artefactRequest(let request):
      precondition((0...WireProtocol.chunkBytes).contains(request.count), "a request for too much")
      artefactRequest = .with {
        $0.digest = Data(request.digest.bytes)
        $0.offset = UInt64(request.offset)
        $0.count = UInt32(request.count)
        $0.receipt = request.receipt
      }
    }
  }
}

extension FromWorker {
  /// Reads a message that has been parsed.
  init(_ message: ProtoFromWorker) throws(WireError) {
    switch message.kind {
    case .hello(let hello): self = .hello(try Hello(hello))
    case .ready(let ready): self = .ready(credit: try bounded(ready.credit, 0...WireProtocol.credit, "credit"))
    case .heartbeat(let heartbeat):
      self = .heartbeat(
        try bounded(heartbeat.progress, "progress").map { progress throws(WireError) in
          try AttemptProgress(progress)
        })
    case .result(let result): self = .result(try AttemptResult(result))
    case .failure(let failure):
      self = .failure(
        attempt: try attempt(failure.attempt),
        CellFailure(kind: try .init(failure.kind), message: try line(failure.message, "a failure's message")))
    case .goodbye(let goodbye): self = .goodbye(reason: try line(goodbye.reason, "a goodbye's reason"))
    case .artefactRequest(let request):
      self = .artefactRequest(
        ArtefactRequest(
          digest: try digest(Array(request.digest), "an artefact's digest"),
          offset: try bounded(request.offset, 0...WireProtocol.artefactBytes, "an offset"),
          count: try bounded(request.count, 0...WireProtocol.chunkBytes, "a part's length"),
          receipt: request.receipt))
    case nil: throw .malformed("no message at all")
    }
  }
}

extension ProtoHello {
  init(_ hello: Hello) {
    precondition(hello.running.count <= WireProtocol.listCount, "a worker holds too many attempts")
    workerID = hello.workerID.name.asName
    engineVersion = hello.engineVersion.asName
    engineRevision = UInt32(hello.engineRevision)
    host = hello.host.asName
    processIdentifier = UInt32(hello.processIdentifier)
    cores = UInt32(hello.cores)
    memoryMib = UInt64(hello.memoryMiB)
    if let store = hello.storeID { storeID = store.asName }
    running = hello.running.map(\.number)
    slots = UInt32(hello.slots)
    build = hello.build.asName
  }
}

extension Hello {
  init(_ hello: ProtoHello) throws(WireError) {
    let numbers = 0...Int(UInt32.max)
    self.init(
      workerID: WorkerID(try name(hello.workerID, "a worker's name")),
      engineVersion: try name(hello.engineVersion, "an engine's version"),
      engineRevision: try bounded(hello.engineRevision, numbers, "an engine's revision"),
      host: try name(hello.host, "a host's name"),
      processIdentifier: try bounded(hello.processIdentifier, numbers, "a process identifier"),
      cores: try bounded(hello.cores, 0...(1 << 20), "cores"),
      memoryMiB: try bounded(hello.memoryMib, 0...(1 << 40), "memory"),
      storeID: hello.hasStoreID ? try name(hello.storeID, "a store's name") : nil,
      running: try attempts(hello.running, "running attempts"),
      slots: try bounded(hello.slots, 1...WireProtocol.credit, "slots"),
      build: try name(hello.build, "a build's name"))
  }
}

extension ProtoProgress {
  init(_ progress: AttemptProgress) {
    attempt = progress.attempt.number
    step = UInt32(progress.step)
    steps = UInt32(progress.steps)
    started = progress.isStarted
    if let loss = progress.loss { self.loss = loss }
  }
}

extension AttemptProgress {
  init(_ progress: ProtoProgress) throws(WireError) {
    self.init(
      attempt: try SweepWire.attempt(progress.attempt), step: Int(progress.step), steps: Int(progress.steps),
      loss: progress.hasLoss ? progress.loss : nil, isStarted: progress.started)
  }
}

extension ProtoResult {
  init(_ result: AttemptResult) {
    precondition(result.result.count <= WireProtocol.cellResultBytes, "a result is too large to be sent")
    precondition(result.report.count <= WireProtocol.reportBytes, "a report is too large to be sent")
    attempt = result.attempt.number
    fingerprint = Data(result.fingerprint.bytes)
    self.result = Data(result.result)
    report = Data(result.report)
    if let windows = result.windows { self.windows = ProtoWindows(windows) }
  }
}

extension AttemptResult {
  init(_ result: ProtoResult) throws(WireError) {
    self.init(
      attempt: try SweepWire.attempt(result.attempt),
      fingerprint: try digest(Array(result.fingerprint), "a fingerprint"),
      result: try bounded(Array(result.result), 1...WireProtocol.cellResultBytes, "a result"),
      report: try bounded(Array(result.report), 1...WireProtocol.reportBytes, "a report"),
      windows: result.hasWindows ? try WindowBytes(result.windows) : nil)
  }
}

extension ProtoWindows {
  init(_ windows: WindowBytes) {
    precondition(
      windows.base.count + windows.edited.count <= WireProtocol.windowBytes, "windows are too many to be sent")
    base = Data(windows.base)
    edited = Data(windows.edited)
  }
}

extension WindowBytes {
  init(_ windows: ProtoWindows) throws(WireError) {
    try check(
      windows.base.count + windows.edited.count, within: 0...WireProtocol.windowBytes, "the size of windows")
    self.init(base: Array(windows.base), edited: Array(windows.edited))
  }
}

extension ProtoFailureKind {
  init(_ kind: CellFailure.Kind) {
    self =
      switch kind {
      case .diverged: .diverged
      case .refusedInput: .refusedInput
      case .engineFault: .engineFault
      case .workerLost: .workerLost
      case .preempted: .preempted
      case .crashed: .crashed
      case .outOfMemory: .outOfMemory
      case .workerUnfit: .workerUnfit
      }
  }
}

extension CellFailure.Kind {
  init(_ kind: ProtoFailureKind) throws(WireError) {
    self =
      switch kind {
      case .diverged: .diverged
      case .refusedInput: .refusedInput
      case .engineFault: .engineFault
      case .workerLost: .workerLost
      case .preempted: .preempted
      case .crashed: .crashed
      case .outOfMemory: .outOfMemory
      case .workerUnfit: .workerUnfit
      case .unspecified, .UNRECOGNIZED:
        throw .invalid(field: "a failure's kind", expected: "one of those that messages.proto names")
      }
  }
}
