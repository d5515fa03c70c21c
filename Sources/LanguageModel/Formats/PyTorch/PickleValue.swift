internal import TensorKernels

/// What a pickle of tensors can hold. Compound values are numbers of places in ``PickleContent``, so that a pickle in
/// which values hold each other, or lie a million deep in each other, is as flat as any other.
enum PickleValue {
  case none
  case bool(Bool)
  case integer(Int)
  case real(Double)
  case text(String)
  /// Bytes, which nothing here looks at.
  case bytes
  case tuple(Int)
  case list(Int)
  case dictionary(Int)
  case global(PickleGlobal)
  case storage(Int)
  case tensor(Int)

  /// What it is, for messages.
  var kind: String {
    switch self {
    case .none: "None"
    case .bool: "a truth value"
    case .integer: "a whole number"
    case .real: "a number"
    case .text: "text"
    case .bytes: "bytes"
    case .tuple: "a tuple"
    case .list: "a list"
    case .dictionary: "a dictionary"
    case .global(let global): "\(global)"
    case .storage: "a storage"
    case .tensor: "a tensor"
    }
  }
}

/// Everything that a pickle may name. Naming anything else ends the reading of it.
enum PickleGlobal: Hashable, CustomStringConvertible {
  /// Numbers of one type, which lie in an entry of the archive.
  case storageType(SafetensorsFile.ElementType)
  /// A view of a storage.
  case rebuildTensor
  /// A tensor that is trained.
  case rebuildParameter
  /// A dictionary.
  case orderedDictionary

  init?(module: String, name: String) {
    switch (module, name) {
    case ("collections", "OrderedDict"): self = .orderedDictionary
    case ("torch._utils", "_rebuild_tensor_v2"): self = .rebuildTensor
    case ("torch._utils", "_rebuild_parameter"): self = .rebuildParameter
    case ("torch", _):
      guard let type = Self.storageTypes[name] else { return nil }
      self = .storageType(type)
    case _: return nil
    }
  }

  private static let storageTypes: [String: SafetensorsFile.ElementType] = [
    "DoubleStorage": .float64, "FloatStorage": .float32, "HalfStorage": .float16, "BFloat16Storage": .bfloat16,
    "LongStorage": .int64, "IntStorage": .int32, "ShortStorage": .int16, "CharStorage": .int8,
    "ByteStorage": .uint8, "BoolStorage": .bool,
  ]

  var description: String {
    switch self {
    case .storageType(let type): "the type of storages of \(type.rawValue)"
    case .rebuildTensor: "torch._utils._rebuild_tensor_v2"
    case .rebuildParameter: "torch._utils._rebuild_parameter"
    case .orderedDictionary: "collections.OrderedDict"
    }
  }
}

/// What a pickle was made into.
struct PickleContent {
  /// Numbers of one type, in an entry of the archive.
  struct Storage: Hashable {
    /// The entry's name below `data/`.
    let key: String
    let type: SafetensorsFile.ElementType
    /// How many numbers.
    let count: Int
  }

  /// A view of a storage. It lies within it.
  struct Tensor: Hashable {
    /// The number of its storage.
    let storage: Int
    /// The place of its first element in the storage.
    let offset: Int
    let shape: [Int]
    /// How many places the neighbours in each extent are apart.
    let strides: [Int]
  }

  var root = PickleValue.none
  var tuples: [[PickleValue]] = []
  var lists: [[PickleValue]] = []
  var dictionaries: [[(key: PickleValue, value: PickleValue)]] = []
  var storages: [Storage] = []
  var tensors: [Tensor] = []
}

/// A pickle that cannot be read, or is not to be.
struct PickleError: Error {
  /// The place of the instruction.
  let offset: Int
  /// What was expected and what was found.
  let problem: String
  /// What to do.
  var advice: String = "the file is damaged or was not written by torch.save: get it again"
}
