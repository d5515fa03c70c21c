import Foundation
import Testing
import ZeroMQTransport

@Suite struct EndpointTests {
  @Test("An address is read as it is written")
  func parsing() throws {
    #expect(try Endpoint("tcp://127.0.0.1:5555") == Endpoint(host: "127.0.0.1", port: 5555))
    #expect(try Endpoint("tcp://node-3.cluster_a:1") == Endpoint(host: "node-3.cluster_a", port: 1))
    #expect(try Endpoint("tcp://*:65535") == Endpoint(host: "*", port: 65535))
    #expect(try Endpoint("tcp://localhost:*") == Endpoint(host: "localhost", port: 0))
    #expect(try Endpoint("tcp://localhost:0").description == "tcp://localhost:*")
    #expect(try Endpoint("tcp://localhost:8000").description == "tcp://localhost:8000")
  }

  @Test(
    "Anything else is refused with the text that was found",
    arguments: [
      "", "localhost:5555", "tcp://", "tcp://:5555", "tcp://localhost", "tcp://localhost:", "tcp://localhost:65536",
      "tcp://localhost:-1", "tcp://localhost:+1", "tcp://localhost:5555x", "tcp://a b:5555", "tcp://[::1]:5555",
      "tcp://a:1:2", "ipc:///tmp/socket", "inproc://x", "tcp://host;eth0:5", "tcp://*.org:1", "tcp://é:1",
      "tcp://" + String(repeating: "a", count: 254) + ":1",
    ])
  func malformed(text: String) {
    #expect(throws: TransportError.malformedEndpoint(text)) { try Endpoint(text) }
  }

  @Test("Every error is one line that says where, what was expected and what was found")
  func errorsAreLines() {
    let endpoint = Endpoint(host: "node", port: 7)
    let errors: [TransportError] = [
      .malformedEndpoint("x"), .portMissing(endpoint), .unresolvable(endpoint, reason: "unknown"),
      .beyondLoopback(endpoint, address: "10.0.0.1"), .portInUse(endpoint), .addressElsewhere(endpoint),
      .notPermitted(endpoint), .tooManyOpenFiles(endpoint),
      .system(endpoint, operation: "listen on", reason: "no memory"),
    ]
    for error in errors {
      #expect(!error.description.contains("\n"))
      #expect(error.description.contains("expected"))
      #expect(error.localizedDescription == error.description)
      if case .malformedEndpoint = error { continue }
      #expect(error.description.contains("tcp://node:7"))
    }
  }
}
