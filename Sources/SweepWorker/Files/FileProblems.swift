internal import Foundation
internal import SweepCore

extension CellFailure {
  /// A failure that would repeat.
  static func refused(_ message: String) -> CellFailure {
    CellFailure(kind: .refusedInput, message: message)
  }

  /// A failure that another worker need not have.
  static func unfit(_ message: String) -> CellFailure {
    CellFailure(kind: .workerUnfit, message: message)
  }
}

extension Error {
  /// What the system says, without Foundation's words around it.
  var systemReason: String {
    let error = self as NSError
    let cause = error.userInfo[NSUnderlyingErrorKey] as? NSError
    let text = (cause ?? error).localizedDescription
    return text.hasSuffix(".") ? String(text.dropLast()) : text
  }
}

extension Int {
  /// A number of bytes, for people.
  var asBytes: String {
    let units = ["bytes", "KiB", "MiB", "GiB", "TiB"]
    var (value, unit) = (Double(self), 0)
    while value >= 1024, unit < units.count - 1 { (value, unit) = (value / 1024, unit + 1) }
    return unit == 0 ? "\(self) bytes" : String(format: "%.1f ", value) + units[unit]
  }
}
