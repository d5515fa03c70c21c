import Foundation
import Testing

/// Collects how close each number of a kind of golden cases came, fails what is beyond its tolerance, and prints one
/// line a metric at the end.
final class ToleranceReport {
  private struct Entry {
    var count = 0
    var worst = 0.0
    var tolerance = 0.0
    var share = -1.0
    var place = ""
  }

  private let title: String
  private var entries: [String: Entry] = [:]
  private var cases: Set<String> = []

  init(_ folder: GoldenFolder, _ kind: String) {
    title = "\(folder) \(kind)"
  }

  func check(_ id: String, _ metric: String, _ error: Double, within tolerance: Double) {
    cases.insert(id)
    var entry = entries[metric] ?? Entry()
    entry.count += 1
    let share = tolerance > 0 ? error / tolerance : (error > 0 ? .infinity : 0)
    if !(share <= entry.share) {
      (entry.share, entry.worst, entry.tolerance, entry.place) = (share, error, tolerance, id)
    }
    entries[metric] = entry
    #expect(error <= tolerance, "\(id): \(metric) is \(error), tolerance \(tolerance)")
  }

  func exact<Value: Equatable>(_ id: String, _ metric: String, _ found: Value, _ truth: Value) {
    cases.insert(id)
    var entry = entries[metric] ?? Entry()
    entry.count += 1
    entry.share = max(entry.share, found == truth ? 0 : .infinity)
    entries[metric] = entry
    #expect(found == truth, "\(id): \(metric)")
  }

  /// Prints the report; fails if there was no case at all.
  func finish(expected: Int) {
    #expect(cases.count == expected && expected > 0, "\(title): \(cases.count) of \(expected) cases looked at")
    for (metric, entry) in entries.sorted(by: { $0.key < $1.key }) {
      let verdict =
        entry.tolerance > 0
        ? String(
          format: "worst %.2e of %.2e (%.1f %%) in ", entry.worst, entry.tolerance, entry.share * 100) + entry.place
        : "exact"
      print("golden \(title): \(cases.count) cases, \(entry.count) x \(metric): \(verdict)")
    }
  }
}
