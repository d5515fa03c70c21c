internal import CZeroMQ
internal import Glibc

/// A TCP address over IPv4: `tcp://HOST:PORT`.
public struct Endpoint: Sendable, Hashable {
  /// A name, an IPv4 address in numbers, or `*` for all interfaces.
  public let host: String
  /// The port; 0, also written `*`, lets the system choose.
  public let port: UInt16

  /// Creates an address without checking the host.
  public init(host: String, port: UInt16) {
    self.host = host
    self.port = port
  }

  /// Parses `tcp://HOST:PORT`.
  ///
  /// - Throws: ``TransportError/malformedEndpoint(_:)`` for anything else, IPv6 addresses included.
  public init(_ text: String) throws(TransportError) {
    let scheme = "tcp://"
    let parts = text.dropFirst(scheme.count).split(separator: ":", omittingEmptySubsequences: false)
    guard text.hasPrefix(scheme), parts.count == 2, Self.isHost(parts[0]),
      let port = parts[1] == "*" ? 0 : Self.port(parts[1])
    else { throw .malformedEndpoint(text) }
    self.init(host: String(parts[0]), port: port)
  }

  /// Letters, digits, hyphens, underscores and dots (RFC 1123 and what is found in practice), or a lone `*`.
  private static func isHost(_ text: Substring) -> Bool {
    guard text != "*" else { return true }
    return !text.isEmpty && text.utf8.count <= 253
      && text.utf8.allSatisfy { byte in
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
          UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."):
          true
        default: false
        }
      }
  }

  private static func port(_ text: Substring) -> UInt16? {
    text.utf8.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) } ? UInt16(text) : nil
  }

  /// The first IPv4 address of the host, `0.0.0.0` for `*`. Blocks while a name is looked up.
  func resolve() throws(TransportError) -> IPv4Address {
    guard host != "*" else { return IPv4Address(bytes: [0, 0, 0, 0]) }
    var hints = unsafe addrinfo()
    unsafe hints.ai_family = AF_INET
    unsafe hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
    var list: UnsafeMutablePointer<addrinfo>?
    let status = unsafe getaddrinfo(host, nil, &hints, &list)
    guard status == 0, let first = unsafe list else {
      throw .unresolvable(self, reason: status == 0 ? "no address" : unsafe String(cString: gai_strerror(status)))
    }
    defer { unsafe freeaddrinfo(first) }
    guard let address = unsafe first.pointee.ai_addr else { throw .unresolvable(self, reason: "no address") }
    return unsafe address.withMemoryRebound(to: sockaddr_in.self, capacity: 1) { address in
      // The address is in network order: its first byte in memory is its most significant.
      unsafe IPv4Address(bytes: withUnsafeBytes(of: address.pointee.sin_addr.s_addr) { unsafe Array($0) })
    }
  }
}

extension Endpoint: CustomStringConvertible {
  /// The address as it is written; a port that the system chooses is `*`.
  public var description: String {
    "tcp://\(host):\(port == 0 ? "*" : String(port))"
  }
}

/// An IPv4 address.
struct IPv4Address: CustomStringConvertible {
  /// The four bytes, most significant first.
  let bytes: [UInt8]

  /// Whether only this machine can reach it: 127.0.0.0/8 (RFC 1122).
  var isLoopback: Bool { bytes[0] == 127 }

  var description: String {
    bytes.map(String.init).joined(separator: ".")
  }
}
