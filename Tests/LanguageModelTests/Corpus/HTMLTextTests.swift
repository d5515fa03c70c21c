import Testing

@testable import LanguageModel

@Suite("Text of HTML pages")
struct HTMLTextTests {
  private func paragraphs(_ page: String) -> [String] {
    HTMLText.paragraphs(of: Array(page.utf8))
  }

  @Test("is its paragraphs, with white space folded and inline markup gone")
  func paragraphs() {
    let page = """
      <!DOCTYPE html>
      <html><head><title>Harbour</title><style>p { color: red }</style></head>
      <body><h1>The  harbour</h1>
      <p class="x">Boats <b>come</b> and
         <i>go</i>&nbsp;every<br>day<span>s</span>.</p>
      <ul><li>First<li>Second <p>own</p></ul>
      <table><tr><td>One<td>Two</tr><tr><th>Three</th></table>
      tail</body></html>
      """
    #expect(
      paragraphs(page) == [
        "The harbour", "Boats come and go every days.", "First", "Second", "own", "One", "Two", "Three", "tail",
      ])
  }

  @Test("leaves out navigation, listings, scripts, forms and what is hidden")
  func skipped() {
    let page = """
      <header><p>Menu</p></header><nav>a<nav>b</nav>c</nav>
      <script>if (a < b) { document.write("<p>no</p>") }</script>
      <p>Kept <code>inline</code><span hidden> secret</span>.</p>
      <pre>let x = 1 <b>bold</b></pre><div class="wide screen">$ ls</div>
      <p class="code">f(x; y)<p>After</p>
      <div class="toc"><dl><dt>1. Contents</dt></dl></div>
      <form><p>Search</p></form><aside>Left</aside><footer>Right</footer>
      <textarea><p>typed</p></textarea><svg><text>drawn</text></svg>
      """
    #expect(paragraphs(page) == ["Kept inline.", "After"])
  }

  @Test("resolves character references, and only those")
  func references() {
    let page =
      "Tom &amp; Jerry &lt;b&gt; &auml;&Ouml;&szlig;&euro; &#228;&#xE4;&#XE4; &hellip; &#150;&#0;&#x110000; "
      + "&unknown; &amp &; &# &#x; &#12 AT&T &copy=1 &amp;lt;"
    #expect(
      paragraphs(page) == [
        "Tom & Jerry <b> äÖß€ äää … –\u{fffd}\u{fffd} &unknown; &amp &; &# &#x; \u{c}AT&T &copy=1 &lt;"
          .replacing("\u{c}", with: "")
      ])
  }

  @Test("takes the last of the variants among which LibreOffice Help's pages choose")
  func variants() {
    let page = """
      <p>Press <span class="switchinline"><span hidden="true" class="MAC">Command</span><span hidden="true">Ctrl</span>\
      </span>+C, or <span class="switchinline"><span hidden="true" class="WIN">Alt</span></span>\
      <span class="switchinline"> <span hidden class="UNIX">x</span> <span hidden>F4</span></span>.</p>
      <div class="switch"><div hidden><p>For one.</p><p>Of two.</p></div> <div hidden><p>For all.</p></div></div>
      Begin <i class="switch"><i hidden>x<p>y</p></i><i hidden>middle</i></i> end
      <p>End.</p>
      """
    #expect(paragraphs(page) == ["Press Ctrl+C, or Alt F4.", "For all.", "Begin middle end", "End."])
  }

  @Test("is found in XHTML too")
  func xhtml() {
    let page = """
      <?xml version="1.0"?><html xmlns="http://www.w3.org/1999/xhtml"><body><div class="navheader"><p>Next</p></div>
      <p><a id="x"/>One<script src="a.js"/> two.</p><!-- <p>no</p> --><![CDATA[ <p>no</p> ]]><p/>three</body></html>
      """
    #expect(paragraphs(page) == ["One two.", "three"])
  }

  @Test(
    "is made the best of in broken pages",
    arguments: [
      ("", []), ("<", ["<"]), ("<>", ["<>"]), ("a < b and c > d", ["a < b and c > d"]), ("</", []), ("a</ b>c", ["ac"]),
      ("<p", []), ("<p class", []), ("<p class=", []), ("<p class=\"x", []), ("<p class='x>y", []), ("x<!--", ["x"]),
      ("x<!-- -- ->y", ["x"]), ("x<!>y", ["xy"]), ("x<?y", ["x"]), ("<script>x", []), ("<script>x</scriptx>y", []),
      ("<SCRIPT>x</ScRiPt>y", ["y"]), ("<p>a<p>b", ["a", "b"]), ("</p>a</div>b", ["a", "b"]),
      ("<b><i>a</b>b</i>c", ["abc"]), ("<nav>a", []), ("<div><nav>a</div>b", ["b"]), ("<p / =x = y>a", ["a"]),
      ("<p a=1 a=2 b>a", ["a"]), ("<1>a", ["<1>a"]), ("&", ["&"]), ("&#", ["&#"]),
      ("&#99999999999999999999;", ["\u{fffd}"]),
      ("<p>a\u{0}b\u{ad}c\u{200b}d", ["abcd"]), ("<td>a<td>b</table>c", ["a", "b", "c"]), ("<P>A</P >B", ["A", "B"]),
      ("<span hidden>a<span>b</span>c</span>d", ["d"]), ("<p hidden>a<p>b", ["b"]), ("<br/>a<hr>b", ["a", "b"]),
    ] as [(String, [String])])
  func broken(page: String, expected: [String]) {
    #expect(paragraphs(page) == expected)
  }

  @Test("of a whole page that is cut anywhere is never a crash, and begins as the page's", arguments: 0..<4)
  func truncations(seed: Int) {
    let page = Array(
      """
      <html><head><title>t</title></head><body class="a b"><div id='x'><p>One &amp; two</p><!-- c --><ul><li>a</li>
      <li>b<pre>c</pre></li></ul><span class="switchinline"><i hidden>x</i><i hidden>y</i></span></div></body></html>
      """.utf8)
    let whole = HTMLText.paragraphs(of: page)
    #expect(whole == ["One & two", "a", "b", "y"])
    for length in 0..<page.count {
      let cut = HTMLText.paragraphs(of: Array(page.prefix(length)))
      #expect(cut.count <= whole.count + 1)
      if cut.count > 2 { #expect(cut.first == whole.first) }
    }
    // Bytes changed at random.
    var generator = SplitMix64(seed: UInt64(seed))
    for _ in 0..<500 {
      var damaged = page
      for _ in 0..<6 {
        let byte = Array("<>/&;\"'= !-a\u{7f}".utf8).randomElement(using: &generator) ?? 0
        damaged[Int.random(in: 0..<damaged.count, using: &generator)] = byte
      }
      let found = HTMLText.paragraphs(of: damaged)
      #expect(found.allSatisfy { !$0.isEmpty && !$0.contains("\n") && !$0.contains("  ") })
    }
  }

  @Test("of tags in any order is never a crash", arguments: 0..<40)
  func soup(seed: Int) {
    let fragments = [
      "<span class=switchinline>", "<div class=\"switch\">", "<span hidden>", "<i hidden>", "<div hidden>", "</span>",
      "</div>", "</i>", "<p>", "</p>", "<li>", "<td>", "<tr>", "<table>", "</table>", "<nav>", "</nav>", "<pre>",
      "</pre>", "<br>", "<hr/>", "a", " ", "bc d", "&amp;", "<script>", "</script>", "<!-- -->",
    ]
    var generator = SplitMix64(seed: UInt64(seed))
    for _ in 0..<200 {
      let page = (0..<40).compactMap { _ in fragments.randomElement(using: &generator) }.joined()
      let found = paragraphs(page)
      #expect(found.allSatisfy { !$0.isEmpty && $0.unicodeScalars.allSatisfy { "abcd &".unicodeScalars.contains($0) } })
    }
  }

  /// Each of these would take hours if the work grew with the square of the page.
  @Test(
    "takes time in proportion to the page",
    arguments: ["<b>", "</b>", "<!--", "<p a=\"", "&#", "&amp", "<nav>", "<script>", "<i hidden>", "<p><li><td>", "< "])
  func linear(unit: String) {
    let page = String(repeating: unit, count: 20_000)
    #expect(paragraphs("<p>start</p>" + page).first == "start")
  }
}
