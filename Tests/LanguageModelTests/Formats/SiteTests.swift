import LanguageModel
import Testing

@Suite("Site and subcomponent names")
struct SiteTests {
  @Test("are read back from their text", arguments: Site.Kind.allCases)
  func roundTrip(kind: Site.Kind) {
    let site = Site(layer: 12, kind: kind)
    #expect(Site(site.description) == site)
    let name = SubcomponentName(site: site, index: 2359)
    #expect(SubcomponentName(name.description) == name)
  }

  @Test("are written as in the checkpoints")
  func spelling() {
    #expect(Site(layer: 2, kind: .contract).description == "h.2.mlp.down_proj")
    #expect(Site(layer: 0, kind: .query).weightName == "h.0.attn.q_proj.weight")
    #expect(SubcomponentName("h.2.mlp.down_proj:2359")?.index == 2359)
  }

  @Test(
    "of other forms are refused",
    arguments: [
      "", "h", "h.2", "h.2.mlp", "h.2.mlp.down", "h.-1.mlp.c_fc", "h.01.mlp.c_fc", "h.+1.mlp.c_fc", "h..mlp.c_fc",
      "x.1.mlp.c_fc", "h.1.mlp.c_fc.weight", "h.1.mlp.c_fc ", "h.99999999999999999999.mlp.c_fc", "h.1.attn.c_fc",
    ])
  func refusals(text: String) {
    #expect(Site(text) == nil)
    #expect(SubcomponentName(text + ":1") == nil)
  }

  @Test(
    "with an index of another form are refused",
    arguments: ["h.1.mlp.c_fc", "h.1.mlp.c_fc:", "h.1.mlp.c_fc:-1", "h.1.mlp.c_fc:01", "h.1.mlp.c_fc:1:2"])
  func indexRefusals(text: String) {
    #expect(SubcomponentName(text) == nil)
  }
}
