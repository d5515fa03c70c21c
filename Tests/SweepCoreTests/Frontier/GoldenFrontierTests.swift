import Foundation
import SweepCore
import Testing

/// Fronts and hypervolumes against the reference data in the folder that `PDSWEEP_GOLDEN` names, by default
/// `../shared/golden` beside the package; skipped with a notice where there is none.
@Suite struct GoldenFrontierTests {
  struct Index: Decodable {
    struct Case: Decodable {
      var id: String
      var kind: String
      var json: String
      var entry: Int?
    }

    struct Tolerance: Decodable {
      var hypervolumeRel: Double

      enum CodingKeys: String, CodingKey {
        case hypervolumeRel = "hypervolume_rel"
      }
    }

    struct Tolerances: Decodable {
      var pareto2d: Tolerance
      var pareto3d: Tolerance
    }

    var cases: [Case]
    var tolerances: Tolerances
  }

  struct FrontCase: Decodable {
    struct Volume: Decodable {
      var ref: [Double]
      var hypervolume: Double
    }

    var id: String
    var maximise: [Bool]
    var points: [[Double]]
    var nondominatedIndices: [Int]
    var nondominatedUniqueFirstIndices: [Int]
    var hypervolumes: [Volume]
  }

  static let folder: URL = {
    if let named = ProcessInfo.processInfo.environment["PDSWEEP_GOLDEN"] { return URL(filePath: named) }
    return URL(filePath: #filePath).appending(path: "../../../../../shared/golden").standardized
  }()

  static func cases(ofKind kind: String, in index: Index) throws -> [FrontCase] {
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    return try index.cases.filter { $0.kind == kind }.map { entry in
      let data = try Data(contentsOf: folder.appending(path: entry.json))
      guard let row = entry.entry else { return try decoder.decode(FrontCase.self, from: data) }
      return try decoder.decode([FrontCase].self, from: data)[row]
    }
  }

  static func index() throws -> Index? {
    let file = folder.appending(path: "index.json")
    guard FileManager.default.fileExists(atPath: file.path) else {
      print("notice: no reference data at \(folder.path); golden frontier cases skipped")
      return nil
    }
    return try JSONDecoder().decode(Index.self, from: Data(contentsOf: file))
  }

  static func report(_ kind: String, cases: Int, worst: Double, tolerance: Double) {
    print("golden \(kind): \(cases) cases, indices exact, worst relative hypervolume error \(worst) of \(tolerance)")
  }

  static func relativeError(_ value: Double, _ truth: Double) -> Double {
    value == truth ? 0 : abs(value - truth) / abs(truth)
  }

  @Test func frontsInThePlaneAgree() throws {
    guard let index = try Self.index() else { return }
    let tolerance = index.tolerances.pareto2d.hypervolumeRel
    let cases = try Self.cases(ofKind: "pareto2d", in: index)
    var worst = 0.0
    for golden in cases {
      let points = golden.points.map { SIMD2($0) }
      let maximise: SIMDMask<SIMD2<Int64>> = [golden.maximise[0], golden.maximise[1]]
      #expect(ParetoFront.indices(of: points, maximise: maximise) == golden.nondominatedIndices, "\(golden.id)")
      #expect(
        ParetoFront.indices(of: points, maximise: maximise, duplicates: .first)
          == golden.nondominatedUniqueFirstIndices,
        "\(golden.id)"
      )
      for volume in golden.hypervolumes {
        let area = Hypervolume.area(of: points, maximise: maximise, reference: SIMD2(volume.ref))
        let error = Self.relativeError(area, volume.hypervolume)
        #expect(error <= tolerance, "\(golden.id) at \(volume.ref): \(area), expected \(volume.hypervolume)")
        worst = max(worst, error)
      }
    }
    Self.report("pareto2d", cases: cases.count, worst: worst, tolerance: tolerance)
  }

  @Test func frontsInSpaceAgree() throws {
    guard let index = try Self.index() else { return }
    let tolerance = index.tolerances.pareto3d.hypervolumeRel
    let cases = try Self.cases(ofKind: "pareto3d", in: index)
    var worst = 0.0
    for golden in cases {
      let points = golden.points.map { SIMD3($0) }
      let maximise: SIMDMask<SIMD3<Int64>> = [golden.maximise[0], golden.maximise[1], golden.maximise[2]]
      #expect(ParetoFront.indices(of: points, maximise: maximise) == golden.nondominatedIndices, "\(golden.id)")
      #expect(
        ParetoFront.indices(of: points, maximise: maximise, duplicates: .first)
          == golden.nondominatedUniqueFirstIndices,
        "\(golden.id)"
      )
      for volume in golden.hypervolumes {
        let found = Hypervolume.volume(of: points, maximise: maximise, reference: SIMD3(volume.ref))
        let error = Self.relativeError(found, volume.hypervolume)
        #expect(error <= tolerance, "\(golden.id) at \(volume.ref): \(found), expected \(volume.hypervolume)")
        worst = max(worst, error)
      }
    }
    Self.report("pareto3d", cases: cases.count, worst: worst, tolerance: tolerance)
  }
}
