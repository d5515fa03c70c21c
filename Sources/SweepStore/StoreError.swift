public import Foundation
internal import GRDB

/// Why a store cannot be opened, read or written.
public enum StoreError: Error, Sendable, Hashable {
  /// There is no such file.
  case missing(path: String)
  /// The folder that is to hold the store does not exist.
  case folderMissing(path: String)
  /// The file is empty: no sweep was ever begun in it.
  case empty(path: String)
  /// The file is something else; what it looks like is given.
  case notAStore(path: String, found: String)
  /// The file, or something in it, is damaged; the detail is given.
  case damaged(path: String, detail: String)
  /// The store was written by a newer pdsweep.
  case newer(path: String, version: Int, supported: Int)
  /// Another coordinator has the store; who it is, as far as known, is given.
  case inUse(path: String, holder: String)
  /// Another program holds SQLite's lock on the store.
  case busy(path: String)
  /// The file or its folder cannot be written to, or not be opened at all.
  case noAccess(path: String, detail: String)
  /// The disk is full.
  case full(path: String)
  /// Something else went wrong below; the detail is given.
  case failed(path: String, detail: String)

  /// Translates an error of the layer below.
  init(_ error: any Error, path: String) {
    guard let error = error as? DatabaseError else {
      self = .failed(path: path, detail: "\(error)")
      return
    }
    let detail = error.message ?? "SQLite error \(error.extendedResultCode.rawValue)"
    switch error.resultCode {
    case .SQLITE_NOTADB: self = .notAStore(path: path, found: "a file that is no database")
    case .SQLITE_CORRUPT: self = .damaged(path: path, detail: detail)
    case .SQLITE_FULL: self = .full(path: path)
    // There was no room for the file by which processes share the index of the write-ahead log.
    case .SQLITE_IOERR where error.extendedResultCode == .SQLITE_IOERR_SHMSIZE: self = .full(path: path)
    case .SQLITE_BUSY, .SQLITE_LOCKED: self = .busy(path: path)
    case .SQLITE_CANTOPEN, .SQLITE_READONLY, .SQLITE_PERM, .SQLITE_AUTH: self = .noAccess(path: path, detail: detail)
    default: self = .failed(path: path, detail: "\(detail) (SQLite error \(error.extendedResultCode.rawValue))")
    }
  }
}

extension StoreError {
  /// Whether the same may succeed a moment later: somebody makes room, or lets go of the file.
  public var isPassing: Bool {
    switch self {
    case .full, .busy: true
    case .missing, .folderMissing, .empty, .notAStore, .damaged, .newer, .inUse, .noAccess, .failed: false
    }
  }
}

extension StoreError: CustomStringConvertible, LocalizedError {
  /// One line: what, where, what was expected, what was found, what to do.
  public var description: String {
    switch self {
    case .missing(let path):
      "\(path): expected a store, found no file; `pdsweep run` creates it"
    case .folderMissing(let path):
      "\(path): expected a folder to hold the store, found none; create it or name another place"
    case .empty(let path):
      "\(path): expected a store, found an empty file; begin a sweep in it with `pdsweep run`"
    case .notAStore(let path, let found):
      "\(path): expected a store of pdsweep, found \(found); name another file"
    case .damaged(let path, let detail):
      "\(path): the store is damaged: \(detail); restore a copy, or save what is left with `sqlite3 FILE .recover`"
    case .newer(let path, let version, let supported):
      "\(path): expected a store of version \(supported) or less, found version \(version); use a newer pdsweep"
    case .inUse(let path, let holder):
      "\(path): the store is in use by \(holder); stop that coordinator, or name another store"
    case .busy(let path):
      "\(path): another program keeps the store locked; close it and try again"
    case .noAccess(let path, let detail):
      "\(path): the store cannot be opened or written: \(detail); check the permissions of the file and its folder"
    case .full(let path):
      "\(path): the disk is full; what was recorded is safe: make room"
    case .failed(let path, let detail):
      "\(path): the store failed: \(detail)"
    }
  }

  /// The same line.
  public var errorDescription: String? { description }
}

/// Runs `body` and translates what it throws.
func translating<Value>(path: String, _ body: () throws -> Value) throws(StoreError) -> Value {
  do {
    return try body()
  } catch let error as StoreError {
    throw error
  } catch {
    throw StoreError(error, path: path)
  }
}
