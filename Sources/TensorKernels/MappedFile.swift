internal import Glibc

/// How numbers are stored in a file, little-endian.
public enum ElementType: String, Sendable, Hashable, CaseIterable {
  /// IEEE 754 binary32.
  case float32 = "F32"
  /// IEEE 754 binary16.
  case float16 = "F16"
  /// The upper half of a binary32.
  case bfloat16 = "BF16"
  /// IEEE 754 binary64.
  case float64 = "F64"

  /// Bytes per number.
  public var byteCount: Int {
    switch self {
    case .float16, .bfloat16: 2
    case .float32: 4
    case .float64: 8
    }
  }
}

/// A file mapped into memory, read-only.
///
/// The mapping is private and lives as long as this object. Its size is fixed when the file is opened and every
/// access is checked against it, so a short file is an error at the door. A file must not be shortened by others
/// while it is mapped: replace it by renaming, as every writer of this package does.
///
/// `@unchecked Sendable`: the mapped bytes are never written, and all stored properties are constants.
@safe public final class MappedFile: @unchecked Sendable {
  /// The path as it was given.
  public let path: String
  /// Size in bytes.
  public let count: Int
  /// The first byte; page-aligned. `nil` for an empty file, which cannot be mapped.
  private let base: UnsafeRawPointer?

  /// Maps a regular file.
  ///
  /// - Throws: ``MappedFileError`` if there is no such regular file or it cannot be read.
  public init(path: String) throws(MappedFileError) {
    let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw MappedFileError(path: path, operation: "open", code: errno) }
    defer { close(descriptor) }
    var status = stat()
    guard unsafe fstat(descriptor, &status) == 0 else {
      throw MappedFileError(path: path, operation: "examine", code: errno)
    }
    guard status.st_mode & S_IFMT == S_IFREG else {
      throw MappedFileError(path: path, operation: "read", reason: "it is not a regular file")
    }
    self.path = path
    count = Int(status.st_size)
    guard count > 0 else {
      unsafe base = nil
      return
    }
    let address = unsafe mmap(nil, count, PROT_READ, MAP_PRIVATE, descriptor, 0)
    guard let address = unsafe address, unsafe address != MAP_FAILED else {
      throw MappedFileError(path: path, operation: "map", code: errno)
    }
    unsafe base = UnsafeRawPointer(address)
  }

  deinit {
    if let base = unsafe base {
      unsafe munmap(UnsafeMutableRawPointer(mutating: base), count)
    }
  }

  /// A copy of a range of bytes. Traps if the range leaves the file.
  public func bytes(in range: Range<Int>) -> [UInt8] {
    unsafe [UInt8](rawBytes(in: range))
  }

  /// `count` numbers that begin at `byteOffset`, rounded to binary32. Traps if they leave the file. The offset need
  /// not be aligned.
  public func floats(at byteOffset: Int, count: Int, as type: ElementType) -> [Float] {
    let bytes = unsafe rawBytes(in: byteRange(at: byteOffset, count: count, as: type))
    return unsafe [Float](unsafeUninitializedCapacity: count) { floats, initialized in
      if type == .float32, count > 0 {
        unsafe UnsafeMutableRawBufferPointer(floats).copyMemory(from: bytes)
      } else {
        for index in 0..<count {
          unsafe floats.initializeElement(at: index, to: number(in: bytes, at: index, as: type))
        }
      }
      initialized = count
    }
  }

  /// `count` numbers of which the first begins at `byteOffset` and each other `stride` numbers behind the one before,
  /// rounded to binary32. Traps if they leave the file. The offset need not be aligned.
  public func floats(at byteOffset: Int, count: Int, stride: Int, as type: ElementType) -> [Float] {
    guard stride != 1, count > 1 else { return floats(at: byteOffset, count: count, as: type) }
    let (last, overflow) = (count - 1).multipliedReportingOverflow(by: stride)
    precondition(!overflow && last >= 0 && last < self.count, "numbers outside \(path)")
    let bytes = unsafe rawBytes(in: byteRange(at: byteOffset, count: last + 1, as: type))
    return (0..<count).map { unsafe number(in: bytes, at: $0 * stride, as: type) }
  }

  /// Gives the memory of all pages that have been read back to the system; what is read again is fetched again.
  public func releasePages() {
    guard let base = unsafe base else { return }
    unsafe madvise(UnsafeMutableRawPointer(mutating: base), count, MADV_DONTNEED)
  }

  /// `count` numbers that begin at `byteOffset`, all exact. Traps if they leave the file. The offset need not be
  /// aligned.
  public func doubles(at byteOffset: Int, count: Int, as type: ElementType) -> [Double] {
    let bytes = unsafe rawBytes(in: byteRange(at: byteOffset, count: count, as: type))
    return (0..<count).map { index in
      switch type {
      case .float64: unsafe Double(bitPattern: bytes.loadUnaligned(fromByteOffset: index * 8, as: UInt64.self))
      case .float32, .float16, .bfloat16: unsafe Double(number(in: bytes, at: index, as: type))
      }
    }
  }

  /// `count` > 0 numbers in place. Traps if they leave the file or are not aligned; valid while this object lives.
  @unsafe func float32Numbers(at byteOffset: Int, count: Int) -> UnsafePointer<Float> {
    let bytes = unsafe rawBytes(in: byteRange(at: byteOffset, count: count, as: .float32))
    guard let start = unsafe bytes.bindMemory(to: Float.self).baseAddress else {
      preconditionFailure("no numbers at byte \(byteOffset) of \(path)")
    }
    return unsafe start
  }

  /// The bytes of a range in place. Traps if the range leaves the file; valid while this object lives.
  private func rawBytes(in range: Range<Int>) -> UnsafeRawBufferPointer {
    precondition(range.lowerBound >= 0 && range.upperBound <= count, "bytes \(range) lie outside \(path)")
    guard let base = unsafe base else { return unsafe UnsafeRawBufferPointer(start: nil, count: 0) }
    return unsafe UnsafeRawBufferPointer(start: base + range.lowerBound, count: range.count)
  }

  private func byteRange(at byteOffset: Int, count: Int, as type: ElementType) -> Range<Int> {
    precondition(byteOffset >= 0 && count >= 0 && count <= self.count / type.byteCount, "numbers outside \(path)")
    return byteOffset..<byteOffset + count * type.byteCount
  }

  private func number(in bytes: UnsafeRawBufferPointer, at index: Int, as type: ElementType) -> Float {
    switch type {
    case .float32:
      return unsafe Float(bitPattern: bytes.loadUnaligned(fromByteOffset: index * 4, as: UInt32.self))
    case .float16:
      return unsafe Float(Float16(bitPattern: bytes.loadUnaligned(fromByteOffset: index * 2, as: UInt16.self)))
    case .bfloat16:
      let upperHalf = unsafe bytes.loadUnaligned(fromByteOffset: index * 2, as: UInt16.self)
      return Float(bitPattern: UInt32(upperHalf) << 16)
    case .float64:
      return unsafe Float(Double(bitPattern: bytes.loadUnaligned(fromByteOffset: index * 8, as: UInt64.self)))
    }
  }
}

/// A file that cannot be read.
public struct MappedFileError: Error, Sendable, Hashable, CustomStringConvertible {
  /// The path as it was given.
  public let path: String
  /// What was tried: open, examine, map, read.
  public let operation: String
  /// Why it failed.
  public let reason: String

  init(path: String, operation: String, reason: String) {
    self.path = path
    self.operation = operation
    self.reason = reason
  }

  init(path: String, operation: String, code: Int32) {
    self.init(path: path, operation: operation, reason: unsafe String(cString: strerror(code)))
  }

  /// One line.
  public var description: String { "\(path): cannot \(operation) the file: \(reason)" }
}
