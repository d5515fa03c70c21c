/// Mean cross-entropies of the evaluation windows of one corpus, nats, in the order of the windows.
///
/// All windows of an evaluation have as many tokens, so their plain mean is the corpus's mean cross-entropy, up to the
/// rounding to single precision.
public struct WindowLosses: Sendable, Hashable {
  /// Of the validation split.
  public var validation: [Float]
  /// Of the test split.
  public var test: [Float]

  /// Creates a pair.
  public init(validation: [Float], test: [Float]) {
    self.validation = validation
    self.test = test
  }

  /// The windows of a split.
  public subscript(split: EvaluationSplit) -> [Float] {
    switch split {
    case .validation: validation
    case .test: test
    }
  }
}

/// What every evaluation window read: the numbers behind the means of a ``CellResult``.
public struct ResultWindows: Sendable, Hashable {
  /// Of the base model, which is the same at every measurement: one element a corpus, in the specification's order.
  public var base: [WindowLosses]
  /// Of the edited model: one element a measurement, in the result's order, and in it one a corpus.
  public var edited: [[WindowLosses]]

  /// Creates the windows of a result.
  public init(base: [WindowLosses], edited: [[WindowLosses]]) {
    self.base = base
    self.edited = edited
  }
}

/// The form in which a result's windows are sent and stored.
///
/// Every number is a `Float`, least significant byte first. ``base`` holds for each corpus its validation windows and
/// then its test windows; ``edited`` holds as much for each measurement, in their order. How many windows a split has
/// follows from the lengths. The base model's numbers stand apart because all cells of a target and its corpora have
/// the same: a store keeps them once.
public struct WindowBytes: Sendable, Hashable {
  /// Of the base model.
  public var base: [UInt8]
  /// Of the edited model.
  public var edited: [UInt8]

  /// Takes the two parts as they came.
  public init(base: [UInt8], edited: [UInt8]) {
    self.base = base
    self.edited = edited
  }

  /// Writes windows down.
  ///
  /// Traps unless every corpus has as many windows on either split at every measurement.
  public init(_ windows: ResultWindows) {
    let count = windows.base.first?.test.count ?? 0
    precondition(
      ([windows.base] + windows.edited).allSatisfy { corpora in
        corpora.count == windows.base.count
          && corpora.allSatisfy { $0.validation.count == count && $0.test.count == count }
      }, "the evaluation windows of a result differ in number")
    base = Self.bytes(of: windows.base)
    edited = windows.edited.flatMap(Self.bytes)
  }

  /// Whether the lengths are those of a result of so many measurements of so many corpora with so many windows on each
  /// split, and all numbers are finite.
  public func fit(corpora: Int, measurements: Int, windows: Int) -> Bool {
    base.count == 8 * corpora * windows && edited.count == measurements * base.count
      && Self.isFinite(base) && Self.isFinite(edited)
  }

  private static func bytes(of corpora: [WindowLosses]) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(8 * corpora.count * (corpora.first?.test.count ?? 0))
    for corpus in corpora {
      for loss in corpus.validation { append(loss, to: &bytes) }
      for loss in corpus.test { append(loss, to: &bytes) }
    }
    return bytes
  }

  private static func append(_ loss: Float, to bytes: inout [UInt8]) {
    let pattern = loss.bitPattern
    for shift in stride(from: 0, to: 32, by: 8) { bytes.append(UInt8(truncatingIfNeeded: pattern >> shift)) }
  }

  /// Whether no number has the exponent of infinities.
  private static func isFinite(_ bytes: [UInt8]) -> Bool {
    stride(from: 0, to: bytes.count, by: 4).allSatisfy { bytes[$0 + 3] & 0x7f != 0x7f || bytes[$0 + 2] & 0x80 == 0 }
  }
}

extension ResultWindows {
  /// Reads what ``WindowBytes/init(_:)`` wrote; `nil` where the lengths do not fit a result of so many measurements of
  /// so many corpora, or a number is not finite.
  ///
  /// - Parameter base: The base model's windows, where they have been read before: many results share them.
  public init?(_ bytes: WindowBytes, corpora: Int, measurements: Int, base: [WindowLosses]? = nil) {
    guard corpora > 0, !bytes.base.isEmpty, bytes.base.count.isMultiple(of: 8 * corpora) else { return nil }
    let windows = bytes.base.count / (8 * corpora)
    guard bytes.fit(corpora: corpora, measurements: measurements, windows: windows) else { return nil }
    let known = base.flatMap { $0.count == corpora ? $0 : nil }
    self.base = known ?? Self.corpora(in: bytes.base[...], windows)
    edited = (0..<measurements).map { place in
      Self.corpora(in: bytes.edited[place * bytes.base.count..<(place + 1) * bytes.base.count], windows)
    }
  }

  private static func corpora(in bytes: ArraySlice<UInt8>, _ windows: Int) -> [WindowLosses] {
    stride(from: bytes.startIndex, to: bytes.endIndex, by: 8 * windows).map { start in
      WindowLosses(
        validation: losses(in: bytes, from: start, windows),
        test: losses(in: bytes, from: start + 4 * windows, windows))
    }
  }

  private static func losses(in bytes: ArraySlice<UInt8>, from start: Int, _ windows: Int) -> [Float] {
    (0..<windows).map { window in
      let place = start + 4 * window
      let low = UInt32(bytes[place]) | UInt32(bytes[place + 1]) << 8
      let high = UInt32(bytes[place + 2]) | UInt32(bytes[place + 3]) << 8
      return Float(bitPattern: low | high << 16)
    }
  }
}

extension CellResult {
  /// Reads a result from its canonical form and the windows that came beside it.
  ///
  /// - Parameter base: The base model's windows, where they have been read before: many results share them.
  /// - Throws: `DecodingError` for anything that is not the form of a result, or windows that do not fit it.
  public init(canonicalForm: [UInt8], windows: WindowBytes?, base: [WindowLosses]? = nil) throws {
    self = try CanonicalJSON.decode(from: canonicalForm)
    guard let windows else { return }
    let corpora = evaluations.first?.corpora.count ?? 0
    guard evaluations.allSatisfy({ $0.corpora.count == corpora }),
      let read = ResultWindows(windows, corpora: corpora, measurements: evaluations.count, base: base)
    else {
      throw DecodingError.dataCorrupted(
        .init(codingPath: [], debugDescription: "the evaluation windows do not fit the measurements"))
    }
    self.windows = read
  }

  /// Whether the windows average to the means, up to their rounding; `nil` without windows.
  public var isMeanOfItsWindows: Bool? {
    guard let windows else { return nil }
    func fits(_ losses: SplitLosses, _ windows: WindowLosses) -> Bool {
      EvaluationSplit.allCases.allSatisfy { split in
        let mean = windows[split].reduce(0) { $0 + Double($1) } / Double(windows[split].count)
        return abs(mean - losses[split]) <= 1e-6 * max(1, abs(losses[split]))
      }
    }
    return zip(evaluations, windows.edited).allSatisfy { evaluation, edited in
      evaluation.corpora.indices.allSatisfy { corpus in
        fits(evaluation.corpora[corpus].base, windows.base[corpus])
          && fits(evaluation.corpora[corpus].edited, edited[corpus])
      }
    }
  }
}
