/// Carries out a pickle's instructions, as far as they build tensors.
///
/// A pickle is a program for a machine with a stack and a memo. Python's machine imports and calls whatever it is told
/// to; this one knows the names in ``PickleGlobal`` and nothing else, runs no code, and reads no file. Every instruction
/// takes time and memory in proportion to its own bytes, and the number of values is bounded, so a pickle cannot make
/// it grow beyond a small multiple of its own size.
struct PickleMachine {
  /// Pickles of state dicts have some two hundred bytes a tensor. Whoever reads one looks at its size first.
  static let largestPickle = 1 << 24
  /// The most values on the stack and in the memo together over the whole run.
  static let mostValues = 1 << 20

  private let bytes: [UInt8]
  private var position = 0
  /// Where the instruction at hand begins.
  private var instruction = 0
  private var stack: [PickleValue] = []
  /// How high the stack was at each mark that is open.
  private var marks: [Int] = []
  private var memo: [Int: PickleValue] = [:]
  private var values = 0
  private var storageNumbers: [String: Int] = [:]
  private var content = PickleContent()

  private let mostValues: Int

  private init(_ bytes: [UInt8], mostValues: Int) {
    self.bytes = bytes
    self.mostValues = mostValues
  }

  /// Runs a pickle to its end.
  static func run(_ bytes: [UInt8], mostValues: Int = Self.mostValues) throws(PickleError) -> PickleContent {
    var machine = PickleMachine(bytes, mostValues: mostValues)
    while try machine.step() {}
    return machine.content
  }

  // MARK: Instructions

  /// Carries out one instruction; `false` after the last.
  private mutating func step() throws(PickleError) -> Bool {
    instruction = position
    let code = try take(1)[position - 1]
    guard let opcode = PickleOpcode(rawValue: code) else {
      let name = PickleOpcode.refused[code] ?? "0x" + String(code, radix: 16)
      throw failure("instructions that build tensors", "\(name), which is none of them", advice: Self.untrusted)
    }
    switch opcode {
    case .proto:
      let version = try number(1)
      guard instruction == 0, (2...5).contains(version) else { throw failure("protocol 2 to 5 first", "\(version)") }
    case .frame: _ = try take(8)
    case .stop:
      content.root = try pop()
      guard stack.isEmpty, marks.isEmpty else { throw failure("one value at the end", "more") }
      guard position == bytes.count else { throw failure("the end of the pickle", "more bytes") }
      return false
    case .mark:
      try count()
      marks.append(stack.count)
    case .none: try push(.none)
    case .newTrue: try push(.bool(true))
    case .newFalse: try push(.bool(false))
    case .binInt: try push(.integer(Int(Int32(truncatingIfNeeded: try number(4)))))
    case .binInt1: try push(.integer(try number(1)))
    case .binInt2: try push(.integer(try number(2)))
    case .long1: try push(.integer(try long()))
    case .binFloat:
      let pattern = try take(8).reduce(0) { $0 << 8 | UInt64($1) }
      try push(.real(Double(bitPattern: pattern)))
    case .shortBinUnicode: try push(.text(try text(lengthBytes: 1)))
    case .binUnicode: try push(.text(try text(lengthBytes: 4)))
    case .binUnicode8: try push(.text(try text(lengthBytes: 8)))
    case .shortBinBytes: try pushBytes(lengthBytes: 1)
    case .binBytes: try pushBytes(lengthBytes: 4)
    case .binBytes8: try pushBytes(lengthBytes: 8)
    case .emptyTuple: try push(tuple: [])
    case .tuple: try push(tuple: try popToMark())
    case .tuple1: try push(tuple: try pop(1))
    case .tuple2: try push(tuple: try pop(2))
    case .tuple3: try push(tuple: try pop(3))
    case .emptyList:
      content.lists.append([])
      try push(.list(content.lists.count - 1))
    case .append: try append(try pop(1))
    case .appends: try append(try popToMark())
    case .emptyDict: try pushDictionary()
    case .setItem: try set(try pop(2))
    case .setItems: try set(try popToMark())
    case .binPut: try remember(try number(1))
    case .longBinPut: try remember(try number(4))
    case .memoize: try remember(memo.count)
    case .binGet: try recall(try number(1))
    case .longBinGet: try recall(try number(4))
    case .global: try pushGlobal(module: try line(), name: try line())
    case .stackGlobal:
      let names = try pop(2)
      guard case .text(let module) = names[0], case .text(let name) = names[1] else {
        throw failure("the name of a global as two texts", "\(names[0].kind) and \(names[1].kind)")
      }
      try pushGlobal(module: module, name: name)
    case .reduce:
      let parts = try pop(2)
      try push(try call(parts[0], parts[1]))
    case .build:
      // A state dict carries attributes (`_metadata`), which say nothing about its tensors.
      _ = try pop()
      guard case .dictionary = stack.last else {
        throw failure(
          "attributes of a dictionary", "those of " + (stack.last?.kind ?? "nothing"), advice: Self.untrusted)
      }
    case .binPersID: try push(try storage(try pop()))
    }
    return true
  }

  // MARK: Objects

  private mutating func pushGlobal(module: String, name: String) throws(PickleError) {
    guard let global = PickleGlobal(module: module, name: name) else {
      throw failure(
        "nothing but tensors", "a reference to " + quoted("\(module).\(name)"), advice: Self.untrusted)
    }
    try push(.global(global))
  }

  private mutating func call(_ function: PickleValue, _ arguments: PickleValue) throws(PickleError) -> PickleValue {
    guard case .global(let global) = function, case .tuple(let number) = arguments else {
      throw failure(
        "a call of what makes a tensor", "one of \(function.kind) with \(arguments.kind)", advice: Self.untrusted)
    }
    let arguments = content.tuples[number]
    switch global {
    case .storageType:
      throw failure("a call of what makes a tensor", "one of \(function.kind)", advice: Self.untrusted)
    case .orderedDictionary:
      guard arguments.isEmpty else { throw failure("an empty OrderedDict", "\(arguments.count) arguments") }
      content.dictionaries.append([])
      return .dictionary(content.dictionaries.count - 1)
    case .rebuildParameter:
      guard arguments.count == 3, case .tensor = arguments[0] else {
        throw failure("a parameter of a tensor", "\(arguments.count) arguments of another kind")
      }
      return arguments[0]
    case .rebuildTensor: return try tensor(arguments)
    }
  }

  /// `_rebuild_tensor_v2(storage, offset, shape, strides, requires_grad, backward_hooks[, metadata])`.
  private mutating func tensor(_ arguments: [PickleValue]) throws(PickleError) -> PickleValue {
    guard (6...7).contains(arguments.count), case .storage(let storage) = arguments[0],
      case .integer(let offset) = arguments[1], let shape = naturals(arguments[2]),
      let strides = naturals(arguments[3]), shape.count == strides.count
    else { throw failure("a tensor's storage, offset, shape and strides", "something else") }
    let room = content.storages[storage].count
    // An extent of 1 is never stepped through.
    var last = offset
    var elements = 1
    var isWithin = offset >= 0 && offset <= room
    for (extent, stride) in zip(shape, strides) where extent != 1 {
      let (reach, tooFar) = max(extent - 1, 0).multipliedReportingOverflow(by: stride)
      let (end, beyond) = last.addingReportingOverflow(reach)
      let (product, tooMany) = elements.multipliedReportingOverflow(by: extent)
      guard !tooFar, !beyond, !tooMany else {
        isWithin = false
        break
      }
      (last, elements) = (end, product)
    }
    // As many elements as its storage at most: one number repeated a thousand million times is no weight.
    guard isWithin, elements == 0 || last < room, elements <= room else {
      throw failure(
        "a tensor within the \(room) numbers of its storage", "shape \(shape), strides \(strides), offset \(offset)")
    }
    content.tensors.append(PickleContent.Tensor(storage: storage, offset: offset, shape: shape, strides: strides))
    return .tensor(content.tensors.count - 1)
  }

  /// `('storage', type, key, device, count)`.
  private mutating func storage(_ identity: PickleValue) throws(PickleError) -> PickleValue {
    guard case .tuple(let number) = identity, content.tuples[number].count == 5 else {
      throw failure("a storage's identity of five parts", identity.kind, advice: Self.untrusted)
    }
    let parts = content.tuples[number]
    guard case .text("storage") = parts[0], case .global(.storageType(let type)) = parts[1],
      case .text(let key) = parts[2], case .text = parts[3], case .integer(let count) = parts[4], count >= 0
    else { throw failure("a storage's type, key, device and count", "something else", advice: Self.untrusted) }
    let storage = PickleContent.Storage(key: key, type: type, count: count)
    if let known = storageNumbers[key] {
      guard content.storages[known] == storage else {
        throw failure("storage \(quoted(key)) as it was before", "another type or count")
      }
      return .storage(known)
    }
    content.storages.append(storage)
    storageNumbers[key] = content.storages.count - 1
    return .storage(content.storages.count - 1)
  }

  private func naturals(_ value: PickleValue) -> [Int]? {
    guard case .tuple(let number) = value else { return nil }
    var numbers: [Int] = []
    // PyTorch has no tensors of more extents.
    guard content.tuples[number].count <= 64 else { return nil }
    for part in content.tuples[number] {
      guard case .integer(let number) = part, number >= 0 else { return nil }
      numbers.append(number)
    }
    return numbers
  }

  // MARK: Containers

  private mutating func push(tuple: [PickleValue]) throws(PickleError) {
    content.tuples.append(tuple)
    try push(.tuple(content.tuples.count - 1))
  }

  private mutating func pushDictionary() throws(PickleError) {
    content.dictionaries.append([])
    try push(.dictionary(content.dictionaries.count - 1))
  }

  private mutating func append(_ values: [PickleValue]) throws(PickleError) {
    guard case .list(let number) = stack.last else { throw failure("a list", stack.last?.kind ?? "nothing") }
    content.lists[number] += values
  }

  private mutating func set(_ values: [PickleValue]) throws(PickleError) {
    guard case .dictionary(let number) = stack.last else {
      throw failure("a dictionary", stack.last?.kind ?? "nothing")
    }
    guard values.count.isMultiple(of: 2) else { throw failure("keys and values in pairs", "\(values.count)") }
    for place in stride(from: 0, to: values.count, by: 2) {
      content.dictionaries[number].append((values[place], values[place + 1]))
    }
  }

  // MARK: Stack and memo

  private mutating func push(_ value: PickleValue) throws(PickleError) {
    try count()
    stack.append(value)
  }

  private mutating func pop() throws(PickleError) -> PickleValue {
    // What lies below an open mark belongs to others.
    guard stack.count > (marks.last ?? 0), let value = stack.popLast() else { throw failure("a value", "none") }
    return value
  }

  private mutating func pop(_ count: Int) throws(PickleError) -> [PickleValue] {
    guard stack.count - (marks.last ?? 0) >= count else { throw failure("\(count) values", "fewer") }
    defer { stack.removeLast(count) }
    return Array(stack.suffix(count))
  }

  private mutating func popToMark() throws(PickleError) -> [PickleValue] {
    guard let mark = marks.popLast() else { throw failure("a mark", "none") }
    defer { stack.removeLast(stack.count - mark) }
    return Array(stack[mark...])
  }

  private mutating func remember(_ number: Int) throws(PickleError) {
    guard stack.count > (marks.last ?? 0), let value = stack.last else { throw failure("a value", "none") }
    try count()
    memo[number] = value
  }

  private mutating func recall(_ number: Int) throws(PickleError) {
    guard let value = memo[number] else { throw failure("a value remembered as \(number)", "none") }
    try push(value)
  }

  private mutating func count() throws(PickleError) {
    values += 1
    guard values <= mostValues else { throw failure("at most \(mostValues) values", "more") }
  }

  // MARK: Operands

  private mutating func take(_ count: Int) throws(PickleError) -> ArraySlice<UInt8> {
    guard count <= bytes.count - position else {
      throw failure("\(count) more bytes", "\(bytes.count - position)", advice: Self.cutOff)
    }
    defer { position += count }
    return bytes[position..<position + count]
  }

  private mutating func number(_ width: Int) throws(PickleError) -> Int {
    Int(clamping: littleEndian(try take(width)))
  }

  /// A number of as many bytes as the first says, in two's complement.
  private mutating func long() throws(PickleError) -> Int {
    let count = try number(1)
    guard count <= 8 else { throw failure("a number of at most 8 bytes", "\(count)") }
    let magnitude = littleEndian(try take(count))
    let shift = UInt64(64 - 8 * count)
    return count == 0 ? 0 : Int(Int64(bitPattern: magnitude << shift) >> Int64(shift))
  }

  private mutating func text(lengthBytes: Int) throws(PickleError) -> String {
    guard let text = String(validating: try take(try number(lengthBytes)), as: UTF8.self) else {
      throw failure("text in UTF-8", "other bytes")
    }
    return text
  }

  private mutating func pushBytes(lengthBytes: Int) throws(PickleError) {
    _ = try take(try number(lengthBytes))
    try push(.bytes)
  }

  /// Text up to a line feed.
  private mutating func line() throws(PickleError) -> String {
    guard let end = bytes[position...].firstIndex(of: UInt8(ascii: "\n")) else {
      throw failure("a name and a line feed", "the end", advice: Self.cutOff)
    }
    defer { position = end + 1 }
    guard let text = String(validating: bytes[position..<end], as: UTF8.self) else {
      throw failure("text in UTF-8", "other bytes")
    }
    return text
  }

  // MARK: Failure

  private static let cutOff = "the file is cut off: get it again"
  private static let untrusted =
    "only tensors are read and nothing is run; if you trust where it comes from, load it with PyTorch and save "
    + "model.state_dict() alone"

  private func failure(_ expected: String, _ found: String, advice: String? = nil) -> PickleError {
    var error = PickleError(offset: instruction, problem: "expected \(expected), found \(found)")
    if let advice { error.advice = advice }
    return error
  }
}
