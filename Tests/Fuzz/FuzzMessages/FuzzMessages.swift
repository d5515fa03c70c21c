internal import CFuzzer
internal import Glibc
internal import SweepWire

/// Feeds the codec and the coordinator's decisions with whatever libFuzzer makes up. Built and run by deploy/fuzz.sh.
///
/// `FuzzMessages --seeds FOLDER` writes inputs to begin with; every other argument is libFuzzer's.
@main
enum FuzzMessages {
  static func main() {
    if CommandLine.arguments.count == 3, CommandLine.arguments[1] == "--seeds" {
      exit(Seeds.write(to: CommandLine.arguments[2]) ? 0 : 1)
    }
    var count = CommandLine.argc
    var arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>? = unsafe CommandLine.unsafeArgv
    exit(unsafe LLVMFuzzerRunDriver(&count, &arguments) { start, size in unsafe takeInput(start, size) })
  }
}

/// What libFuzzer calls. The first byte says what the others are: even = a script of what peers say to a coordinator,
/// odd = a message's body.
@_cdecl("LLVMFuzzerTestOneInput")
public func takeInput(_ start: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
  let input = unsafe Array(UnsafeBufferPointer(start: start, count: size))
  guard let kind = input.first else { return 0 }
  if kind.isMultiple(of: 2) {
    var script = Script(input.dropFirst())
    script.play()
  } else {
    checkCodec(Array(input.dropFirst()))
  }
  return 0
}

/// What can be read can be written, and reads back as it was.
private func checkCodec(_ body: [UInt8]) {
  func isWritten(_ message: FromWorker) -> Bool {
    guard let again = try? MessageCodec.decodeFromWorker(framed(MessageCodec.encode(message))) else { return false }
    // A loss that is not a number is not equal to itself.
    return "\(again)" == "\(message)"
  }
  if let message = try? MessageCodec.decodeFromWorker(framed(body)) {
    precondition(isWritten(message), "a worker's message changes when it is written")
  }
  if let message = try? MessageCodec.decodeToWorker(framed(body)) {
    let parts = MessageCodec.encode(message).map { try? MessageCodec.decodeToWorker(framed($0)) }
    precondition(parts.count != 1 || parts == [message], "a coordinator's message changes when it is written")
    precondition(!parts.contains(nil), "a coordinator's message cannot be read once it is written")
  }
}

func framed(_ body: [UInt8]) -> [[UInt8]] {
  [MessageCodec.versionFrame, body]
}
