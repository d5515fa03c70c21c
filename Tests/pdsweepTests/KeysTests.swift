import Foundation
import Testing

/// `pdsweep keys`, and a sweep whose workers need them.
@Suite(.serialized)
struct KeysTests {
  @Test
  func keysAreMadeListedAndTakenBack() async throws {
    let laboratory = try Laboratory()
    let made = try await Command.run(["keys", "new", "anna"], in: laboratory)
    #expect(made.status == 0, "\(made.errors)")
    #expect(made.output.contains("Made keys/anna.key, the key of worker anna."))
    _ = try await Command.run(["keys", "new", "bert", "--keys", "keys"], in: laboratory)
    let secret = try #require(laboratory.read("keys/anna.key").firstMatch(of: /secret: (\S{40})/)).1
    let list = try await Command.run(["keys", "list"], in: laboratory)
    #expect(list.output.split(separator: "\n").count == 2)
    #expect(list.output.hasPrefix("anna  "))
    for outcome in [made, list] { #expect(!(outcome.output + outcome.errors).contains(secret)) }
    let revoked = try await Command.run(["keys", "revoke", "anna"], in: laboratory)
    #expect(revoked.status == 0, "\(revoked.errors)")
    let json = try await Command.run(["keys", "list", "--json"], in: laboratory)
    #expect(json.output.contains("\"name\":\"bert\""))
    #expect(!json.output.contains("anna"))
    for (arguments, says) in [
      (["keys", "revoke", "anna"], "found \"anna\"; those are bert"),
      (["keys", "new", "bert"], "admitted already"),
      (["keys", "new", "../x"], "expected a name"),
      (["keys", "list", "--keys", "nowhere"], "no coordinator.key"),
    ] {
      let refused = try await Command.run(arguments, in: laboratory)
      #expect(refused.status == 2)
      #expect(refused.errors.contains(says))
      #expect(refused.errors.split(separator: "\n").count == 1)
    }
  }

  @Test
  func aSweepRunsOnWorkersWithKeysAndOnNoOthers() async throws {
    let laboratory = try Laboratory()
    for name in ["anna", "bert"] { _ = try await Command.run(["keys", "new", name], in: laboratory) }
    let coordinator = try Command(
      ["coordinator", "sweep.yaml", "--listen", "tcp://127.0.0.1:0", "--keys", "keys"],
      in: laboratory)
    try await coordinator.untilIt("listens") { try coordinator.errors.contains("may connect to") }
    let address = try #require(try coordinator.errors.firstMatch(of: /tcp:\/\/[0-9.]+:[0-9]+/)).output
    let stranger = try await Command.run(["worker", "--connect", "\(address)", "--patience", "1"], in: laboratory)
    #expect(stranger.status == 1)
    #expect(stranger.errors.contains("with --key"))
    try FileManager.default.setAttributes(
      [.posixPermissions: 0o644], ofItemAtPath: laboratory.folder.appending(path: "keys/bert.key").path)
    let careless = try await Command.run(
      ["worker", "--connect", "\(address)", "--key", "keys/bert.key"], in: laboratory)
    #expect(careless.status == 2)
    #expect(careless.errors.contains("chmod 600 keys/bert.key"))
    let worker = try await Command.run(
      ["worker", "--connect", "\(address)", "--key", "keys/anna.key"], in: laboratory)
    #expect(worker.status == 0, "\(worker.errors)")
    let outcome = try await coordinator.outcome()
    #expect(outcome.status == 0, "\(outcome.errors)")
  }

  @Test
  func aWorkerWhoseKeyIsRevokedIsSentAwayAndItsCellsRunElsewhere() async throws {
    let laboratory = try Laboratory(steps: 240)
    for name in ["anna", "bert"] { _ = try await Command.run(["keys", "new", name], in: laboratory) }
    let coordinator = try Command(
      ["coordinator", "sweep.yaml", "--listen", "tcp://127.0.0.1:0", "--keys", "keys"], in: laboratory)
    try await coordinator.untilIt("listens") { try coordinator.errors.contains("may connect to") }
    let address = try #require(try coordinator.errors.firstMatch(of: /tcp:\/\/[0-9.]+:[0-9]+/)).output
    let anna = try Command(["worker", "--connect", "\(address)", "--key", "keys/anna.key"], in: laboratory)
    try await coordinator.untilIt("leases a cell") { try laboratory.attempts("tiny.sqlite").values.contains(1) }
    _ = try await Command.run(["keys", "revoke", "anna"], in: laboratory)
    let sentAway = try await anna.outcome()
    #expect(sentAway.status == 2)
    #expect(sentAway.errors.contains("the key anna has been revoked"))
    let bert = try await Command.run(
      ["worker", "--connect", "\(address)", "--key", "keys/bert.key"], in: laboratory)
    #expect(bert.status == 0, "\(bert.errors)")
    let outcome = try await coordinator.outcome()
    #expect(outcome.status == 0, "\(outcome.errors)")
    #expect(outcome.errors.contains("its key was revoked"))
  }

  @Test
  func theClearIsNotOfferedToTheNetworkUnasked() async throws {
    let laboratory = try Laboratory()
    let refused = try await Command.run(["coordinator", "sweep.yaml", "--listen", "tcp://*:0"], in: laboratory)
    #expect(refused.status == 2)
    #expect(refused.errors.contains("--keys"))
    let both = try await Command.run(
      ["coordinator", "sweep.yaml", "--listen", "tcp://*:0", "--keys", "keys", "--insecure"], in: laboratory)
    #expect(both.status == 2)
    #expect(both.errors.contains("found both"))
    let none = try await Command.run(
      ["coordinator", "sweep.yaml", "--listen", "tcp://*:0", "--keys", "keys"], in: laboratory)
    #expect(none.status == 2)
    #expect(none.errors.contains("pdsweep keys new NAME --keys keys"))
  }
}
