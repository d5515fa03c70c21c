import Foundation
import SweepCore
import Testing

/// Fronts and hypervolumes against the reference data in `Golden`, made by the script there, and in the folder that
/// `PDSWEEP_GOLDEN` names, if it is set.
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

  static let folders: [URL] = {
    let own = URL(filePath: #filePath).appending(path: "../../Golden").standardized
    return [own] + (ProcessInfo.processInfo.environment["PDSWEEP_GOLDEN"].map { [URL(filePath: $0)] } ?? [])
  }()

  static func cases(ofKind kind: String, in index: Index, at folder: URL) throws -> [FrontCase] {
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    return try index.cases.filter { $0.kind == kind }.map { entry in
      let data = try Data(contentsOf: folder.appending(path: entry.json))
      guard let row = entry.entry else { return try decoder.decode(FrontCase.self, from: data) }
      return try decoder.decode([FrontCase].self, from: data)[row]
    }
  }

  static func index(at folder: URL) throws -> Index {
    try JSONDecoder().decode(Index.self, from: Data(contentsOf: folder.appending(path: "index.json")))
  }

  static func report(_ kind: String, cases: Int, worst: Double, tolerance: Double) {
    print("golden \(kind): \(cases) cases, indices exact, worst relative hypervolume error \(worst) of \(tolerance)")
  }

  static func relativeError(_ value: Double, _ truth: Double) -> Double {
    value == truth ? 0 : abs(value - truth) / abs(truth)
  }

  @Test(arguments: folders)
  func frontsInThePlaneAgree(folder: URL) throws {
    let index = try Self.index(at: folder)
    let tolerance = index.tolerances.pareto2d.hypervolumeRel
    let cases = try Self.cases(ofKind: "pareto2d", in: index, at: folder)
    #expect(!cases.isEmpty)
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

  @Test(arguments: folders)
  func frontsInSpaceAgree(folder: URL) throws {
    let index = try Self.index(at: folder)
    let tolerance = index.tolerances.pareto3d.hypervolumeRel
    let cases = try Self.cases(ofKind: "pareto3d", in: index, at: folder)
    #expect(!cases.isEmpty)
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

  // MARK: Another library

  /// What moocore says of points all of whose axes are costs.
  struct Independent: Decodable {
    struct Front: Decodable {
      var id: String
      var points: [[Double]]
      var reference: [Double]
      var hypervolume: Double
      var front: [Int]
    }

    struct Attainment: Decodable {
      var id: String
      var runs: [[[Double]]]
      var surfaces: [[[Double]]]
    }

    var fronts: [Front]
    var attainment: [Attainment]

    static func read() throws -> Independent {
      let file = GoldenFrontierTests.folders[0].appending(path: "independent.json")
      return try JSONDecoder().decode(Independent.self, from: Data(contentsOf: file))
    }
  }

  @Test func frontsAndHypervolumesAreThoseOfAnotherLibrary() throws {
    let cases = try Independent.read().fronts
    #expect(Set(cases.map(\.reference.count)) == [2, 3])
    for golden in cases {
      let isPlane = golden.reference.count == 2
      let plane = isPlane ? golden.points.map { SIMD2($0) } : []
      let space = isPlane ? [] : golden.points.map { SIMD3($0) }
      let costs3: SIMDMask<SIMD3<Int64>> = [false, false, false]
      let front =
        isPlane
        ? ParetoFront.indices(of: plane, maximise: [false, false]) : ParetoFront.indices(of: space, maximise: costs3)
      #expect(front == golden.front, "\(golden.id)")
      let volume =
        isPlane
        ? Hypervolume.area(of: plane, maximise: [false, false], reference: SIMD2(golden.reference))
        : Hypervolume.volume(of: space, maximise: costs3, reference: SIMD3(golden.reference))
      #expect(Self.relativeError(volume, golden.hypervolume) <= 1e-12, "\(golden.id): \(volume)")
    }
  }

  @Test func attainmentSurfacesAreThoseOfAnotherLibrary() throws {
    let cases = try Independent.read().attainment
    #expect(cases.contains { $0.runs.count == 9 })
    for golden in cases {
      let runs = golden.runs.map { run in run.map { SIMD2<Double>($0) } }
      let surfaces = golden.surfaces.map { surface in surface.map { SIMD2<Double>($0) } }
      #expect(AttainmentSurfaces(of: runs, maximise: [false, false]).surfaces == surfaces, "\(golden.id)")
    }
  }
}
