public import Foundation

/// Why a connection could not be opened.
public enum TransportError: Error, Sendable, Hashable {
  /// The text is no address.
  case malformedEndpoint(String)
  /// The address names port 0 where a worker must know the real one.
  case portMissing(Endpoint)
  /// The address stands for every interface of a machine where a worker must name one.
  case hostMissing(Endpoint)
  /// The host's name has no IPv4 address; the resolver's reason is given.
  case unresolvable(Endpoint, reason: String)
  /// Listening there would admit peers from other machines, in the clear.
  case beyondLoopback(Endpoint, address: String)
  /// The keys that are to protect the address cannot be used.
  case keys(KeyError)
  /// Another process listens there.
  case portInUse(Endpoint)
  /// The address belongs to no network interface of this machine.
  case addressElsewhere(Endpoint)
  /// This user may not listen on that port.
  case notPermitted(Endpoint)
  /// This process cannot open more files.
  case tooManyOpenFiles(Endpoint)
  /// Anything else that the system refused; its words are given.
  case system(Endpoint, operation: String, reason: String)
}

extension TransportError: CustomStringConvertible, LocalizedError {
  /// One line: where, what was expected, what was found, what to do.
  public var description: String {
    switch self {
    case .malformedEndpoint(let text):
      "address \"\(text)\": expected tcp://HOST:PORT with a name or an IPv4 address and a port from 0 to 65535"
    case .portMissing(let endpoint):
      "cannot connect to \(endpoint): expected the port that the coordinator printed when it started, found none"
    case .hostMissing(let endpoint):
      "cannot connect to \(endpoint): expected the name or the address of the coordinator's machine, found one that "
        + "stands for all of a machine's own"
    case .unresolvable(let endpoint, let reason):
      "cannot use \(endpoint): expected the name of a machine with an IPv4 address, found none for "
        + "\"\(endpoint.host)\" (\(reason)); check the name or give the address in numbers"
    case .beyondLoopback(let endpoint, let address):
      "cannot listen on \(endpoint): expected a loopback address (127.0.0.1), found \(address), where other machines "
        + "could send commands in the clear; make keys with `pdsweep keys new` and name them with --keys, or say --insecure if "
        + "the network is trusted"
    case .keys(let error):
      error.description
    case .portInUse(let endpoint):
      "cannot listen on \(endpoint): expected a free port, found another process listening there; "
        + "stop it, or choose another port (port 0 takes any free one)"
    case .addressElsewhere(let endpoint):
      "cannot listen on \(endpoint): expected an address of this machine, found none of its interfaces to have it; "
        + "`ip address` lists those that exist"
    case .notPermitted(let endpoint):
      "cannot listen on \(endpoint): expected a port that this user may open, found permission denied; "
        + "choose a port from 1024 up"
    case .tooManyOpenFiles(let endpoint):
      "cannot open \(endpoint): expected a free file descriptor, found the limit of this process reached; "
        + "raise it with `ulimit -n`"
    case .system(let endpoint, let operation, let reason):
      "cannot \(operation) \(endpoint): expected the system to allow it, found: \(reason)"
    }
  }

  /// The same line.
  public var errorDescription: String? { description }
}
