import Testing

@testable import SweepCore

@Suite("Names in a sweep file")
struct NamesTests {
  @Test("a site is read from its path and written back to it")
  func sites() {
    for block in [0, 1, 11] {
      for matrix in SitePath.Matrix.allCases {
        let site = SitePath(block: block, matrix: matrix)
        #expect(SitePath(site.description) == site)
      }
    }
    for wrong in [
      "", "h", "h.1", "h.1.mlp", "h.1.mlp.c_fc.", ".h.1.mlp.c_fc", "h.01.mlp.c_fc", "h.-1.mlp.c_fc", "h.+1.mlp.c_fc",
      "h..mlp.c_fc", "h.1.mlp.q_proj", "h.1.attn.c_fc", "H.1.mlp.c_fc", "h.99999999999999999999.mlp.c_fc",
      "h.١.mlp.c_fc",
    ] {
      #expect(SitePath(wrong) == nil, "\(wrong)")
    }
  }

  @Test("sites are ordered as the model applies them")
  func siteOrder() {
    let inOrder = [0, 2, 10].flatMap { block in SitePath.Matrix.allCases.map { SitePath(block: block, matrix: $0) } }
    #expect(inOrder.shuffled().sorted() == inOrder)
  }

  @Test("a subcomponent is read from `site:index` and written back to it")
  func subcomponents() {
    #expect(SubcomponentPath("h.2.mlp.down_proj:2359")?.description == "h.2.mlp.down_proj:2359")
    for wrong in ["h.2.mlp.down_proj", "h.2.mlp.down_proj:", "h.2.mlp.down_proj:01", "h.2.mlp.down_proj:1:2", ":1"] {
      #expect(SubcomponentPath(wrong) == nil, "\(wrong)")
    }
  }
}
