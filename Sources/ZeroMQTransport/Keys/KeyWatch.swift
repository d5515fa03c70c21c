/// Keeps a ring of keys as the folder's list has it. Used on one thread.
struct KeyWatch {
  private(set) var ring = KeyRing()
  private let folder: KeyFolder
  private var stamp: PrivateFile.Stamp?
  private var next: ContinuousClock.Instant

  /// How often the list is looked at.
  static let interval = Duration.seconds(1)

  /// Something that a look at the list brought.
  enum Change: Equatable {
    /// A key is not admitted any more.
    case revoked(String)
    /// The list cannot be read; the one before holds.
    case unreadable(KeyError)
  }

  /// Reads the list.
  init(_ folder: KeyFolder, at now: ContinuousClock.Instant) throws(KeyError) {
    self.folder = folder
    next = now + Self.interval
    stamp = folder.listStamp()
    _ = ring.replace(with: try folder.admitted())
  }

  /// Time until the next look is due.
  func pause(at now: ContinuousClock.Instant) -> Duration {
    max(.zero, next - now)
  }

  /// Looks at the list, if that is due, and takes it over if it has changed. A list that cannot be read changes
  /// nothing and is told of once: a slip of an editor does not cut every worker off.
  mutating func look(at now: ContinuousClock.Instant) -> [Change] {
    guard now >= next else { return [] }
    next = now + Self.interval
    // Taken first: a list that changes while it is read is read again.
    let current = folder.listStamp()
    guard current != stamp else { return [] }
    stamp = current
    do throws(KeyError) {
      return ring.replace(with: try folder.admitted()).map { .revoked($0) }
    } catch {
      return [.unreadable(error)]
    }
  }
}
