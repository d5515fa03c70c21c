import Foundation

/// A small network of its own on this machine: a coordinator and workers in network namespaces, each worker on a cable to
/// the coordinator that can be pulled, or lose packets.
///
///     worker 0 (10.91.0.2) ──── 10.91.0.1 ┐
///                                         ├ coordinator
///     worker 1 (10.91.1.2) ──── 10.91.1.1 ┘
final class Namespaces: Sendable {
  private let name = "pdsweep\(ProcessInfo.processInfo.processIdentifier)"
  private let workers: Int

  /// Why this machine cannot have one; `nil` where it can.
  static let obstacle: String? = {
    guard geteuid() == 0 else { return "only root can make network namespaces" }
    for tool in ["ip", "nft"] where (try? run("sh", "-c", "command -v \(tool)")) == nil {
      return "\(tool) is not installed (iproute2, nftables)"
    }
    let probe = "pdsweepprobe\(ProcessInfo.processInfo.processIdentifier)"
    defer { _ = try? run("ip", "netns", "delete", probe) }
    do {
      try run("ip", "netns", "add", probe)
      try run("ip", "netns", "exec", probe, "nft", "add", "table", "ip", "probe")
    } catch {
      return "\(error)"
    }
    return nil
  }()

  /// Makes the network.
  init(workers: Int) throws {
    self.workers = workers
    try Self.run("ip", "netns", "add", coordinator)
    try Self.run("ip", "-n", coordinator, "link", "set", "lo", "up")
    for worker in 0..<workers {
      let namespace = self.worker(worker)
      let (near, far) = ("pds\(worker)c", "pds\(worker)w")
      try Self.run("ip", "netns", "add", namespace)
      try Self.run(
        "ip", "link", "add", near, "netns", coordinator, "type", "veth", "peer", "name", far, "netns", namespace)
      try Self.run("ip", "-n", coordinator, "address", "add", "10.91.\(worker).1/24", "dev", near)
      try Self.run("ip", "-n", namespace, "address", "add", "10.91.\(worker).2/24", "dev", far)
      try Self.run("ip", "-n", coordinator, "link", "set", near, "up")
      try Self.run("ip", "-n", namespace, "link", "set", far, "up")
      try Self.run("ip", "-n", namespace, "link", "set", "lo", "up")
    }
  }

  deinit {
    for namespace in [coordinator] + (0..<workers).map(worker) { _ = try? Self.run("ip", "netns", "delete", namespace) }
  }

  /// The coordinator's namespace.
  var coordinator: String { "\(name)c" }

  /// A worker's namespace.
  func worker(_ number: Int) -> String { "\(name)w\(number)" }

  /// The coordinator's address, as a worker sees it.
  func address(for worker: Int, port: Int) -> String { "tcp://10.91.\(worker).1:\(port)" }

  /// Drops every packet between a worker and the coordinator; neither is told.
  func cut(_ worker: Int) throws {
    try filter(worker, "drop")
  }

  /// Drops a packet in twenty, in both directions.
  func loseOneInTwenty(_ worker: Int) throws {
    try filter(worker, "numgen random mod 20 0 drop")
  }

  /// Lets everything pass again.
  func mend(_ worker: Int) throws {
    try Self.run("ip", "netns", "exec", self.worker(worker), "nft", "flush", "ruleset")
  }

  private func filter(_ worker: Int, _ rule: String) throws {
    try mend(worker)
    let rules = ["input", "output"].map {
      "add chain ip pdsweep \($0) { type filter hook \($0) priority 0; }; add rule ip pdsweep \($0) \(rule)"
    }
    try Self.run(
      "ip", "netns", "exec", self.worker(worker), "nft", "add table ip pdsweep; " + rules.joined(separator: "; "))
  }

  @discardableResult
  private static func run(_ arguments: String...) throws -> String {
    let process = Process()
    process.executableURL = URL(filePath: "/usr/bin/env")
    process.arguments = arguments
    let output = Pipe()
    process.standardOutput = output
    process.standardError = output
    try process.run()
    let text = String(decoding: try output.fileHandleForReading.readToEnd() ?? Data(), as: UTF8.self)
    process.waitUntilExit()
    guard process.terminationStatus == 0 else {
      throw NeverHappened(what: "\(arguments.joined(separator: " ")): \(text)")
    }
    return text
  }
}
