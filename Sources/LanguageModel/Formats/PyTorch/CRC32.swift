/// The checksum of zip archives: CRC-32 with the reflected polynomial 0xEDB88320, eight bytes a step.
struct CRC32 {
  /// Entry n of table k: what byte n, followed by k bytes of 0, does to the remainder. One table behind the other.
  private static let tables: [UInt32] = {
    var tables: [UInt32] = []
    for byte in 0..<UInt32(256) {
      var rest = byte
      for _ in 0..<8 { rest = rest & 1 == 1 ? (rest >> 1) ^ 0xEDB8_8320 : rest >> 1 }
      tables.append(rest)
    }
    for place in 256..<8 * 256 {
      let shorter = tables[place - 256]
      tables.append((shorter >> 8) ^ tables[Int(shorter & 0xFF)])
    }
    return tables
  }()

  private var rest = UInt32.max

  /// The checksum of all that was taken in.
  var value: UInt32 { ~rest }

  /// Takes in what comes next.
  mutating func update(_ bytes: [UInt8]) {
    let tables = Self.tables
    var place = 0
    while bytes.count - place >= 8 {
      let low = rest ^ Self.word(bytes, place)
      let high = Self.word(bytes, place + 4)
      let first = tables[1792 + Int(low & 0xFF)] ^ tables[1536 + Int(low >> 8 & 0xFF)]
      let second = tables[1280 + Int(low >> 16 & 0xFF)] ^ tables[1024 + Int(low >> 24)]
      let third = tables[768 + Int(high & 0xFF)] ^ tables[512 + Int(high >> 8 & 0xFF)]
      let fourth = tables[256 + Int(high >> 16 & 0xFF)] ^ tables[Int(high >> 24)]
      rest = first ^ second ^ third ^ fourth
      place += 8
    }
    for byte in bytes[place...] { rest = (rest >> 8) ^ tables[Int((rest ^ UInt32(byte)) & 0xFF)] }
  }

  private static func word(_ bytes: [UInt8], _ place: Int) -> UInt32 {
    let low = UInt32(bytes[place]) | UInt32(bytes[place + 1]) << 8
    return low | UInt32(bytes[place + 2]) << 16 | UInt32(bytes[place + 3]) << 24
  }
}
