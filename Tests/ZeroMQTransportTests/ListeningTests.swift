import Foundation
import Glibc
import SweepWire
import Testing
import ZeroMQTransport

/// What an address that cannot be used gets.
@Suite(.serialized, .timeLimit(.minutes(10))) struct ListeningTests {
  @Test("The port that the system chose is given back")
  func chosenPort() async throws {
    let coordinator = try await ZeroMQCoordinatorTransport.listen(on: Endpoint("tcp://localhost:0"))
    #expect(coordinator.endpoint.host == "localhost")
    #expect(coordinator.endpoint.port > 0)
    await coordinator.close()
  }

  @Test("A port in use is refused, and is free again after closing")
  func portInUse() async throws {
    let first = try await listen()
    await #expect(throws: TransportError.portInUse(first.endpoint)) {
      try await ZeroMQCoordinatorTransport.listen(on: first.endpoint)
    }
    await first.close()
    let second = try await ZeroMQCoordinatorTransport.listen(on: first.endpoint)
    #expect(second.endpoint == first.endpoint)
    await second.close()
  }

  @Test("Listening beyond loopback must be asked for", arguments: ["tcp://*:0", "tcp://0.0.0.0:0"])
  func beyondLoopback(address: String) async throws {
    let endpoint = try Endpoint(address)
    await #expect(throws: TransportError.beyondLoopback(endpoint, address: "0.0.0.0")) {
      try await ZeroMQCoordinatorTransport.listen(on: endpoint)
    }
    let open = try await ZeroMQCoordinatorTransport.listen(on: endpoint, security: .insecure)
    let worker = try await ZeroMQWorkerTransport.connect(to: Endpoint(host: "127.0.0.1", port: open.endpoint.port))
    worker.send([.ready(credit: 3)])
    var events = Events(open.incoming)
    guard case .message(_, .ready(3)) = await events.next() else { return #expect(Bool(false), "nothing arrived") }
    await worker.close()
    await open.close()
  }

  @Test("Every loopback address is one")
  func loopback() async throws {
    let coordinator = try await ZeroMQCoordinatorTransport.listen(on: Endpoint("tcp://127.8.9.10:0"))
    await coordinator.close()
  }

  @Test("A name without an address is refused by either end")
  func unresolvable() async throws {
    // A top-level name that is reserved never to exist (RFC 6761).
    let endpoint = try Endpoint("tcp://no-such-host.invalid:5555")
    await #expect {
      try await ZeroMQCoordinatorTransport.listen(on: endpoint)
    } throws: {
      isUnresolvable($0, endpoint)
    }
    await #expect {
      try await ZeroMQWorkerTransport.connect(to: endpoint)
    } throws: {
      isUnresolvable($0, endpoint)
    }
  }

  @Test("An address of another machine cannot be listened on")
  func addressElsewhere() async throws {
    // Reserved for documentation (RFC 5737).
    let endpoint = try Endpoint("tcp://192.0.2.1:5555")
    await #expect(throws: TransportError.addressElsewhere(endpoint)) {
      try await ZeroMQCoordinatorTransport.listen(on: endpoint, security: .insecure)
    }
  }

  @Test("A worker must know the port")
  func portMissing() async throws {
    let endpoint = try Endpoint("tcp://127.0.0.1:*")
    await #expect(throws: TransportError.portMissing(endpoint)) {
      try await ZeroMQWorkerTransport.connect(to: endpoint)
    }
  }

  @Test("A process that is short of files gets an error, however short it is")
  func tooManyOpenFiles() async {
    await #expect(processExitsWith: .success) {
      // What the runtime opens once is opened before files become scarce.
      await (try listen()).close()
      // A limit is on the numbers of files, and whoever started this process may have left gaps among them.
      let open = try filesOpenWithoutGaps()
      var refusals = 0
      for spare in 0..<64 {
        var limit = rlimit(rlim_cur: rlim_t(open + spare), rlim_max: rlim_t(open + 64))
        guard unsafe setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { exit(3) }
        do {
          let coordinator = try await listen()
          let worker = try await ZeroMQWorkerTransport.connect(to: coordinator.endpoint)
          worker.send([.ready(credit: 1)])
          var events = Events(coordinator.incoming)
          guard case .message = await events.next() else { exit(4) }
          await worker.close()
          await coordinator.close()
        } catch TransportError.tooManyOpenFiles {
          refusals += 1
        }
      }
      // Neither always nor never.
      exit((1..<60).contains(refusals) ? 0 : 5)
    }
  }

  private func isUnresolvable(_ error: any Error, _ endpoint: Endpoint) -> Bool {
    guard case .unresolvable(endpoint, _) = error as? TransportError else { return false }
    return true
  }
}
