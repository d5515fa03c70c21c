import LanguageModel
import TensorKernels
import Testing

@Suite("Decompositions")
struct DecompositionTests {
  private let folder: TemporaryFolder
  /// d = 4, MLP 6, one head for keys of dimension 2.
  private let configuration = ModelConfiguration(
    blockSize: 8, context: 8, vocabularySize: 10, layers: 2, heads: 2, keyValueHeads: 1, width: 4, intermediate: 6)

  init() throws {
    folder = try TemporaryFolder()
  }

  private func tensor(_ name: String, _ rows: Int, _ columns: Int) -> SafetensorsFile.Content {
    .init(name: name, shape: [rows, columns], elements: (0..<rows * columns).map { Float($0) })
  }

  private func open(_ tensors: [SafetensorsFile.Content]) throws -> Decomposition {
    let path = folder.path("decomposition.safetensors")
    try SafetensorsFile.write(tensors, to: path)
    return try Decomposition(path: path, configuration: configuration)
  }

  @Test("give a subcomponent's directions: a column of V and a row of U")
  func directions() throws {
    let decomposition = try open([
      tensor("h.1.mlp.c_fc.V", 4, 3), tensor("h.1.mlp.c_fc.U", 3, 6), tensor("h.0.attn.k_proj.V", 4, 5),
      tensor("h.0.attn.k_proj.U", 5, 2), tensor("something.else", 1, 1),
    ])
    #expect(decomposition.sites.map(\.site.description) == ["h.0.attn.k_proj", "h.1.mlp.c_fc"])
    #expect(decomposition.sites.map(\.count) == [5, 3])
    let name = try #require(SubcomponentName("h.1.mlp.c_fc:1"))
    let (read, write) = try decomposition.directions(of: name)
    #expect(read == [1, 4, 7, 10])
    #expect(write == [6, 7, 8, 9, 10, 11])
    #expect(decomposition[Site(layer: 1, kind: .contract)] == nil)
  }

  @Test(
    "say what is decomposed when something else is asked for",
    arguments: [
      ("h.1.mlp.c_fc:3", "expected an index from 0 to 2, found 3"),
      ("h.0.mlp.c_fc:0", "expected a decomposed site, found h.0.mlp.c_fc; decomposed here: h.1.mlp.c_fc"),
    ])
  func unknown(name: String, reason: String) throws {
    let decomposition = try open([tensor("h.1.mlp.c_fc.V", 4, 3), tensor("h.1.mlp.c_fc.U", 3, 6)])
    let name = try #require(SubcomponentName(name))
    let error = try #require(throws: InputFileError.self) { try decomposition.directions(of: name) }
    #expect(error.description.contains(reason))
  }

  @Test("that do not fit the model or themselves are refused")
  func misfits() throws {
    let misfits: [([SafetensorsFile.Content], String)] = [
      ([tensor("h.1.mlp.c_fc.V", 5, 3), tensor("h.1.mlp.c_fc.U", 3, 6)], "expected shape [4, 3], found [5, 3]"),
      ([tensor("h.1.mlp.c_fc.V", 4, 3), tensor("h.1.mlp.c_fc.U", 3, 4)], "expected shape [any, 6], found [3, 4]"),
      ([tensor("h.1.mlp.c_fc.V", 4, 3), tensor("h.1.mlp.c_fc.U", 2, 6)], "expected shape [4, 2], found [4, 3]"),
      ([tensor("h.1.mlp.c_fc.V", 4, 3)], "h.1.mlp.c_fc.U: expected this tensor"),
      ([tensor("h.1.mlp.c_fc.U", 3, 6)], "h.1.mlp.c_fc.V: expected this tensor"),
      ([tensor("h.2.mlp.c_fc.V", 4, 3), tensor("h.2.mlp.c_fc.U", 3, 6)], "a layer below 2"),
      ([tensor("h.1.mlp.c_fc.U", 0, 6), tensor("h.1.mlp.c_fc.V", 4, 0)], "expected shape [any, 6], found [0, 6]"),
      ([tensor("mlp.V", 4, 3), tensor("mlp.U", 3, 6)], "expected a site"),
      ([tensor("h.1.mlp.c_fc.weight", 4, 3)], "found none among 1"),
    ]
    for (tensors, reason) in misfits {
      let error = try #require(throws: InputFileError.self) { try open(tensors) }
      #expect(error.description.contains(reason))
    }
  }

  @Test("with numbers that are not finite are refused when these are read")
  func notFinite() throws {
    let decomposition = try open([
      tensor("h.1.mlp.c_fc.V", 4, 2),
      .init(name: "h.1.mlp.c_fc.U", shape: [2, 6], elements: [0, 0, 0, 0, 0, 0, 0, .nan, 0, 0, 0, 0]),
    ])
    let site = Site(layer: 1, kind: .expand)
    #expect(try decomposition.directions(of: SubcomponentName(site: site, index: 0)).write.count == 6)
    let error = try #require(throws: InputFileError.self) {
      try decomposition.directions(of: SubcomponentName(site: site, index: 1))
    }
    #expect(error.place == "h.1.mlp.c_fc.U[1, 1]")
  }
}
