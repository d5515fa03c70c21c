/// The look of a report: a narrow column of serif text with wide figures, in the plots' colours, light or dark as the
/// reader's system is, and always light in print.
enum ReportStyle {
  /// The style sheet.
  static var css: String {
    """
    :root{color-scheme:light dark;--page:#ffffff;--text:#1d2024;--soft:#5b626c;--rule:#d5d9df;--tint:#f5f6f8;\
    --link:#00568b;\(PlotPalette.pageProperties(dark: false))}
    @media (prefers-color-scheme:dark){:root{--page:#16181c;--text:#dcdfe4;--soft:#9aa1ac;--rule:#343942;\
    --tint:#1e2126;--link:#7cc8f2;\(PlotPalette.pageProperties(dark: true))}}
    \(rules)
    @media print{:root{color-scheme:light;--page:#ffffff;--text:#000000;--soft:#444444;--rule:#bbbbbb;--tint:#ffffff;\
    --link:#000000;\(PlotPalette.pageProperties(dark: false))}
    body{font-size:10pt}main{max-width:none;padding:0}nav,.noprint{display:none}
    figure,.method,dl.rules>div{break-inside:avoid}figure.table{break-inside:auto}tr{break-inside:avoid}
    thead{display:table-header-group}h2,h3,figcaption{break-after:avoid}
    .scroll{overflow:visible}.scroll svg{max-width:100%;height:auto}
    table{font-size:7.5pt}th,td{padding:2pt 4pt}figcaption,.note,dl.facts{font-size:8pt}
    pre{white-space:pre-wrap;overflow:visible;border:0;padding:0;font-size:7.5pt}.answer{font-size:10.5pt}
    .heat{grid-template-columns:6rem 1fr 1fr;font-size:7pt;line-height:1.45}}
    @page{size:A4;margin:16mm 14mm}

    """
  }

  /// The grounds of tokens, by cross-entropy (`c`) and by divergence (`k`), from the second shade on.
  private static var shades: String {
    (1...6).map { shade in
      let strength = svgNumber(Double(shade) * 0.1)
      return ".c\(shade){background:rgba(213,94,0,\(strength))}.k\(shade){background:rgba(0,114,178,\(strength))}"
    }.joined()
  }

  private static let rules = """
    *{box-sizing:border-box}
    html{-webkit-text-size-adjust:100%}
    body{margin:0;background:var(--page);color:var(--text);font:17px/1.55 Charter,"Bitstream Charter",Cambria,\
    "Noto Serif","Liberation Serif",Georgia,serif}
    main{max-width:74rem;margin:0 auto;padding:2.2rem 1.4rem 4rem}
    header,section>p,section>ul,.method>p,.answer,section>h3,dl,.note,nav{max-width:46rem}
    h1{font-size:1.85rem;line-height:1.2;margin:0 0 .3rem;text-wrap:balance;overflow-wrap:anywhere}
    h2{font-size:1.3rem;line-height:1.3;margin:3rem 0 .6rem;padding-top:.5rem;border-top:1px solid var(--rule)}
    h3{font-size:1.05rem;margin:1.8rem 0 .3rem;display:flex;align-items:center;gap:.45rem;overflow-wrap:anywhere}
    p{margin:.5rem 0 .9rem;text-wrap:pretty;overflow-wrap:break-word;hyphens:manual}
    a{color:var(--link);text-decoration-thickness:1px;text-underline-offset:2px}
    code,.code{font:.86em/1.45 ui-monospace,"DejaVu Sans Mono",Menlo,Consolas,monospace;overflow-wrap:anywhere}
    .lead{color:var(--soft);margin:0 0 1.2rem}
    .answer{font-size:1.06rem;margin:1.2rem 0 1.6rem;padding:.2rem 0 .2rem 1.1rem;border-left:3px solid var(--method-0)}
    .answer p{margin:.3rem 0}
    nav ul{list-style:none;margin:0;padding:0;display:flex;flex-wrap:wrap;gap:.1rem 1.1rem;font-size:.92rem}
    figure{margin:1.6rem 0 2rem}
    figcaption,.note,small,table,nav,.facts{font-family:system-ui,"Segoe UI","Helvetica Neue",Arial,"Liberation Sans",\
    "DejaVu Sans",sans-serif}
    figcaption,.note{font-size:.82rem;line-height:1.5;color:var(--soft);max-width:56rem;margin:0 0 .6rem}
    figcaption b{color:var(--text)}
    .scroll{overflow-x:auto;max-width:100%}
    .scroll:focus-visible{outline:2px solid var(--link);outline-offset:2px}
    .scroll svg{display:block}
    table{border-collapse:separate;border-spacing:0;font-size:.8rem;line-height:1.35;font-variant-numeric:tabular-nums lining-nums;\
    border-top:1.5px solid var(--text);border-bottom:1.5px solid var(--text)}
    thead th{border-bottom:1px solid var(--text);font-weight:600;vertical-align:bottom}
    th,td{padding:.34rem .55rem;text-align:left;vertical-align:top;font-weight:400}
    th:first-child,td:first-child{padding-left:.2rem}
    tbody th{white-space:nowrap;max-width:22rem;overflow:hidden;text-overflow:ellipsis}
    tbody tr+tr>*{border-top:1px solid var(--rule)}
    tbody tr+tr.group>*{border-top:1px solid var(--soft)}
    .number{text-align:right;white-space:nowrap}
    td small,th small{display:block;color:var(--soft);font-size:.86em;white-space:nowrap}
    .pale{color:var(--soft)}
    .swatch svg,h3 svg{display:inline-block;vertical-align:-2px;flex:none}
    .swatch{margin-right:.4rem}
    dl.facts{display:grid;grid-template-columns:minmax(9rem,max-content) 1fr;gap:.25rem 1.2rem;font-size:.86rem;\
    line-height:1.45;max-width:60rem}
    dl.facts dt{color:var(--soft)}
    dl.facts dd{margin:0;overflow-wrap:anywhere}
    dl.rules>div{margin:.55rem 0}
    dl.rules dt{font-weight:600;display:inline}
    dl.rules dt::after{content:". "}
    dl.rules dd{display:inline;margin:0}
    h4{font-size:.95rem;margin:1.2rem 0 .2rem}
    q{quotes:"\u{201C}" "\u{201D}"}
    .prompt{break-inside:avoid;margin:0 0 1.4rem}.prompt>p{max-width:46rem;margin:.2rem 0}
    dl.text{margin:.2rem 0;max-width:none}dl.text dd{font-family:inherit}
    .heat{display:grid;grid-template-columns:9rem 1fr 1fr;gap:.2rem 1.4rem;border-top:1px solid var(--rule);\
    padding:.35rem 0;font-size:.8rem;line-height:1.6;break-inside:avoid}
    .heat p{margin:0;overflow-wrap:anywhere}
    .steps{white-space:nowrap}
    .whose{color:var(--soft)}
    .heat i,.note i{font-style:normal;border-radius:2px;-webkit-print-color-adjust:exact;print-color-adjust:exact}
    \(shades)
    pre{background:var(--tint);border:1px solid var(--rule);padding:.8rem 1rem;overflow-x:auto;font-size:.8rem;\
    line-height:1.45;max-width:60rem}
    @media (max-width:40rem){table th:first-child{position:sticky;left:0;background:var(--page);min-width:7rem;\
    max-width:9.5rem;white-space:normal;overflow-wrap:break-word}.heat{grid-template-columns:1fr}body{font-size:16px}main{padding:1.2rem .9rem 3rem}h1{font-size:1.45rem}
    dl.facts{grid-template-columns:1fr;gap:0}dl.facts dd{margin:0 0 .5rem}th,td{padding:.3rem .5rem}}
    """
}
