internal import GRDB

/// The tables of a store, and how stores of earlier versions become ones of this version.
///
/// Times are milliseconds since 1970, UTC. Digests are their 32 bytes (`hex(fingerprint)` in the sqlite3 shell).
/// Whether a cell is running follows from its open attempts and is not stored twice.
enum StoreSchema {
  /// Marks a database as a store of pdsweep: "pdsw".
  static let applicationID = 0x7064_7377

  /// The version that this program reads and writes: the number of migrations.
  static var version: Int { migrations.count }

  /// Brings a new or older database to the present version, each step in a transaction of its own.
  static func migrate(_ database: Database, storeID: String, now: Int64) throws {
    for step in try version(of: database)..<version {
      try database.inTransaction(.immediate) {
        try database.execute(sql: migrations[step])
        if step == 0 {
          try database.execute(sql: "INSERT INTO store (id, created) VALUES (?, ?)", arguments: [storeID, now])
        }
        try database.execute(sql: "PRAGMA application_id = \(applicationID); PRAGMA user_version = \(step + 1)")
        return .commit
      }
    }
  }

  /// The version of a store; 0 for an empty database.
  ///
  /// - Throws: ``StoreError/notAStore(path:found:)`` for a database of another program,
  ///   ``StoreError/newer(path:version:supported:)``, or an error of SQLite.
  static func check(_ database: Database, path: String) throws -> Int {
    let application = try Int.fetchOne(database, sql: "PRAGMA application_id") ?? 0
    let version = try version(of: database)
    let tables = try Int.fetchOne(database, sql: "SELECT count(*) FROM sqlite_schema") ?? 0
    if tables == 0, version == 0, application == 0 { return 0 }
    guard application == applicationID else {
      throw StoreError.notAStore(path: path, found: "an SQLite database of another program")
    }
    guard version <= Self.version else {
      throw StoreError.newer(path: path, version: version, supported: Self.version)
    }
    return version
  }

  private static func version(of database: Database) throws -> Int {
    try Int.fetchOne(database, sql: "PRAGMA user_version") ?? 0
  }

  private static let migrations = [
    """
    CREATE TABLE store (
      id TEXT NOT NULL,                    -- names the store to workers
      created INTEGER NOT NULL
    ) STRICT;

    CREATE TABLE sweeps (
      id INTEGER PRIMARY KEY,
      digest BLOB NOT NULL UNIQUE,         -- of name, methods and fingerprints
      name TEXT NOT NULL,
      file TEXT NOT NULL,                  -- the sweep file as last given
      vocabulary_size INTEGER NOT NULL,
      goal_removal REAL,                   -- nats; NULL = a uniform guess
      goal_retention_cost REAL NOT NULL,   -- nats
      begun INTEGER NOT NULL,
      opened INTEGER NOT NULL              -- last taken up by a coordinator
    ) STRICT;

    CREATE TABLE specifications (
      fingerprint BLOB NOT NULL PRIMARY KEY,
      specification TEXT NOT NULL          -- canonical JSON, of which the fingerprint is the SHA-256
    ) STRICT;

    CREATE TABLE cells (
      sweep INTEGER NOT NULL REFERENCES sweeps,
      idx INTEGER NOT NULL,
      method TEXT NOT NULL,
      fingerprint BLOB NOT NULL,
      state TEXT NOT NULL CHECK (state IN ('pending', 'completed', 'failed', 'cancelled')),
      failure TEXT,                        -- the kind of the failure that decided a failed cell
      message TEXT,
      PRIMARY KEY (sweep, idx)
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE attempts (
      number INTEGER PRIMARY KEY,          -- never reused: rows are never deleted
      sweep INTEGER NOT NULL,
      idx INTEGER NOT NULL,
      worker TEXT NOT NULL,
      started INTEGER NOT NULL,            -- when the lease was recorded
      ended INTEGER,
      outcome TEXT CHECK (outcome IN ('completed', 'duplicate', 'fault', 'failed', 'lost', 'revoked')),
      reason TEXT,                         -- the kind of a failure or loss
      message TEXT
    ) STRICT;
    CREATE INDEX attempts_of_cell ON attempts (sweep, idx);

    CREATE TABLE results (
      fingerprint BLOB NOT NULL PRIMARY KEY,
      digest BLOB NOT NULL,                -- SHA-256 of the result
      attempt INTEGER NOT NULL,            -- the first that gave it
      result TEXT NOT NULL                 -- canonical JSON
    ) STRICT;

    CREATE TABLE reports (
      attempt INTEGER PRIMARY KEY,
      report TEXT NOT NULL                 -- canonical JSON
    ) STRICT;

    CREATE TABLE faults (                  -- results that differ from the first of their fingerprint
      attempt INTEGER NOT NULL,
      digest BLOB NOT NULL,
      fingerprint BLOB NOT NULL,
      at INTEGER NOT NULL,
      result TEXT NOT NULL,
      report TEXT NOT NULL,
      PRIMARY KEY (attempt, digest)
    ) STRICT;

    CREATE TABLE events (                  -- what the other tables do not tell
      id INTEGER PRIMARY KEY,
      at INTEGER NOT NULL,
      sweep INTEGER NOT NULL,
      kind TEXT NOT NULL,
      worker TEXT,
      attempt INTEGER,
      message TEXT
    ) STRICT;
    """
  ]
}
