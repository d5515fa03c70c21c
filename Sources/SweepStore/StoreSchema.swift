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

  /// Brings a new or older database to a version, each step in a transaction of its own.
  static func migrate(_ database: Database, to version: Int = version, storeID: String, now: Int64) throws {
    for step in try self.version(of: database)..<version {
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

  /// Tables and views of the present version.
  private static let parts: Set<String> = [
    "store", "sweeps", "specifications", "cells", "attempts", "results", "faults", "journal", "requests", "events",
    "windows", "base_windows",
  ]

  /// The version of a store; 0 for an empty database.
  ///
  /// - Throws: ``StoreError/notAStore(path:found:)`` for a database of another program,
  ///   ``StoreError/newer(path:version:supported:)``, ``StoreError/damaged(path:detail:)`` where a table is missing, or
  ///   an error of SQLite.
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
    if version == Self.version {
      let found = try String.fetchSet(database, sql: "SELECT name FROM sqlite_schema")
      let missing = parts.subtracting(found).sorted()
      guard missing.isEmpty else {
        throw StoreError.damaged(path: path, detail: "it has no \(missing.joined(separator: ", no "))")
      }
    }
    return version
  }

  /// Looks through a whole database for damage. Takes about a second for each GB.
  ///
  /// - Throws: ``StoreError/damaged(path:detail:)`` with the first that is found.
  static func checkIntegrity(_ database: Database, path: String) throws {
    guard let fault = try String.fetchOne(database, sql: "PRAGMA integrity_check(1)"), fault != "ok" else { return }
    let line = fault.split(whereSeparator: \.isNewline).map { $0.drop { $0 == "*" || $0 == " " } }
    throw StoreError.damaged(path: path, detail: line.joined(separator: "; "))
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
    """,

    """
    CREATE TABLE new_specifications (
      id INTEGER PRIMARY KEY,
      fingerprint BLOB NOT NULL UNIQUE,    -- SHA-256 of the specification
      specification TEXT NOT NULL          -- canonical JSON
    ) STRICT;
    INSERT INTO new_specifications (fingerprint, specification)
      SELECT fingerprint, specification FROM specifications ORDER BY rowid;
    DROP TABLE specifications;
    ALTER TABLE new_specifications RENAME TO specifications;

    ALTER TABLE sweeps ADD COLUMN priority INTEGER NOT NULL DEFAULT 0;    -- greater ones go first
    ALTER TABLE sweeps ADD COLUMN paused INTEGER NOT NULL DEFAULT 0;      -- 1 = no cells are handed out
    ALTER TABLE sweeps ADD COLUMN audit_fraction REAL NOT NULL DEFAULT 0; -- part of the cells that is run twice

    CREATE TABLE new_cells (
      sweep INTEGER NOT NULL REFERENCES sweeps,
      idx INTEGER NOT NULL,
      method TEXT NOT NULL,
      specification INTEGER NOT NULL REFERENCES specifications,
      state TEXT NOT NULL CHECK (state IN ('pending', 'completed', 'failed', 'cancelled')),
      failure TEXT,                        -- the kind of the failure that decided a failed cell
      message TEXT,
      counted_from INTEGER NOT NULL DEFAULT 0,  -- attempts below were made before the cell was last reopened
      audit TEXT,                          -- how its audit ended
      PRIMARY KEY (sweep, idx)
    ) STRICT, WITHOUT ROWID;
    INSERT INTO new_cells (sweep, idx, method, specification, state, failure, message)
      SELECT c.sweep, c.idx, c.method, s.id, c.state, c.failure, c.message
      FROM cells c JOIN specifications s USING (fingerprint);
    DROP TABLE cells;
    ALTER TABLE new_cells RENAME TO cells;

    -- Rows of results and attempts come in the order in which cells are dealt: what is written together lies together.
    CREATE TABLE new_results (
      specification INTEGER PRIMARY KEY,
      digest BLOB NOT NULL,                -- SHA-256 of the result
      attempt INTEGER NOT NULL,            -- the first that gave it
      result TEXT NOT NULL,                -- canonical JSON
      report TEXT NOT NULL                 -- canonical JSON: where and how fast the attempt ran
    ) STRICT;
    INSERT INTO new_results (specification, digest, attempt, result, report)
      SELECT s.id, r.digest, r.attempt, r.result, p.report
      FROM results r JOIN specifications s USING (fingerprint) LEFT JOIN reports p USING (attempt);
    DROP TABLE results;
    DROP TABLE reports;
    ALTER TABLE new_results RENAME TO results;

    CREATE TABLE new_attempts (
      number INTEGER PRIMARY KEY,          -- never reused: rows are never deleted
      sweep INTEGER NOT NULL,
      idx INTEGER NOT NULL,
      worker TEXT NOT NULL,
      purpose TEXT NOT NULL DEFAULT 'result',  -- or 'copy', 'audit'
      started INTEGER NOT NULL,            -- when the lease was recorded
      ended INTEGER,
      outcome TEXT,                        -- 'completed', 'duplicate', 'fault', 'failed', 'lost', 'revoked', 'taken-back'
      reason TEXT,                         -- the kind of a failure or loss
      message TEXT
    ) STRICT;
    INSERT INTO new_attempts (number, sweep, idx, worker, started, ended, outcome, reason, message)
      SELECT number, sweep, idx, worker, started, ended, outcome, reason, message FROM attempts;
    DROP TABLE attempts;
    ALTER TABLE new_attempts RENAME TO attempts;

    CREATE TABLE journal (                 -- what the other tables do not tell, or no longer
      id INTEGER PRIMARY KEY,
      at INTEGER NOT NULL,
      kind TEXT NOT NULL,
      sweep INTEGER,                       -- NULL = about no sweep
      idx INTEGER,
      attempt INTEGER,
      worker TEXT,
      message TEXT
    ) STRICT;
    INSERT INTO journal (id, at, kind, sweep, idx, attempt, worker, message)
      SELECT e.id, e.at, replace(e.kind, 'attempt-', ''),
        CASE WHEN e.kind LIKE 'worker-%' THEN NULL ELSE e.sweep END, a.idx, e.attempt,
        coalesce(e.worker, a.worker), e.message
      FROM events e LEFT JOIN attempts a ON a.number = e.attempt WHERE e.kind <> 'fault';
    DROP TABLE events;

    -- The whole history: ORDER BY at, step, attempt. What is written together has one time; of it, attempts end
    -- before their cells, and before others are leased.
    CREATE VIEW events (at, kind, sweep, idx, attempt, worker, message, step) AS
      SELECT started, 'leased', sweep, idx, number, worker, nullif(purpose, 'result'),
        CASE WHEN ended = started THEN 1 ELSE 4 END << 40 FROM attempts
      UNION ALL
      SELECT at, kind, sweep, idx, attempt, worker, message,
        (CASE WHEN attempt IS NOT NULL THEN 2 WHEN kind IN ('cell-failed', 'cell-cancelled', 'audited') THEN 3 ELSE 0
          END << 40) + id FROM journal
      UNION ALL
      SELECT ended, coalesce(reason, outcome), sweep, idx, number, worker, message, 2 << 40 FROM attempts
        WHERE outcome IS NOT NULL
      UNION ALL                            -- a result that another cell brought
      SELECT max(a.ended, s.begun), 'cached', c.sweep, c.idx, a.number, NULL, o.name, 3 << 40
        FROM cells c JOIN sweeps s ON s.id = c.sweep JOIN results r USING (specification)
          JOIN attempts a ON a.number = r.attempt JOIN sweeps o ON o.id = a.sweep
        WHERE c.state = 'completed' AND (a.sweep <> c.sweep OR a.idx <> c.idx);

    CREATE TABLE requests (                -- what people want of the coordinator
      id INTEGER PRIMARY KEY,
      at INTEGER NOT NULL,
      verb TEXT NOT NULL,
      sweep INTEGER,                       -- NULL = every sweep
      argument TEXT,
      settled INTEGER                      -- when a coordinator took it up
    ) STRICT;
    CREATE INDEX open_requests ON requests (id) WHERE settled IS NULL;
    """,

    """
    -- How the subcomponents were chosen that the sweep file does not name: canonical JSON.
    ALTER TABLE sweeps ADD COLUMN selections TEXT NOT NULL DEFAULT '[]';
    """,

    """
    CREATE TABLE base_windows (            -- what evaluation windows read with a base model; many results share it
      id INTEGER PRIMARY KEY,
      digest BLOB NOT NULL UNIQUE,         -- SHA-256 of the losses
      losses BLOB NOT NULL                 -- floats, least significant byte first: corpus by corpus, validation, test
    ) STRICT;

    CREATE TABLE windows (                 -- of results; older ones have none
      specification INTEGER PRIMARY KEY REFERENCES results,
      digest BLOB NOT NULL,                -- SHA-256 of the base's digest and the losses
      base INTEGER NOT NULL REFERENCES base_windows,
      losses BLOB NOT NULL                 -- as those of the base, measurement by measurement
    ) STRICT;

    ALTER TABLE faults ADD COLUMN base_windows BLOB;
    ALTER TABLE faults ADD COLUMN windows BLOB;
    """,
  ]
}
