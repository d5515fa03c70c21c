import Testing

@testable import SweepReport

@Suite struct TextTests {
  @Test func decimalsAreFixedAndNeverNegativeZero() {
    #expect(fixedDecimal(1.005, 2) == "1.00")
    #expect(fixedDecimal(-0.125, 2) == "-0.13")
    #expect(fixedDecimal(-0.0004, 3) == "0.000")
    #expect(fixedDecimal(0.0004, 3, signed: true) == "0.000")
    #expect(fixedDecimal(0.02, 3, signed: true) == "+0.020")
    #expect(fixedDecimal(12.5, 0) == "13")
    #expect(fixedDecimal(.nan, 2) == "nan")
    #expect(fixedDecimal(-.infinity, 2) == "-inf")
    #expect(fixedDecimal(1e300, 2) == "1e+300")
  }

  @Test func thousandsAreGrouped() {
    #expect(
      [0, 12, 999, 1000, 65536, 1_234_567, -1000].map(grouped).joined(separator: " ")
        == "0 12 999 1,000 65,536 1,234,567 -1,000")
  }

  @Test func fieldsAreQuotedWhereTheyMustBe() {
    var table = CSVTable(header: ["a", "b,c"])
    table.append(["plain text", "say \"so\""])
    table.append(["two\nlines", "carriage\r\nreturn"])
    table.append(["", " "])
    #expect(
      table.text == "a,\"b,c\"\nplain text,\"say \"\"so\"\"\"\n\"two\nlines\",\"carriage\r\nreturn\"\n, \n")
  }

  @Test func columnsCountWhatATerminalShows() {
    #expect(DisplayText.columns("plain") == 5)
    #expect(DisplayText.columns("日本") == 4)
    #expect(DisplayText.columns("e\u{301}a\u{308}") == 2)
    #expect(DisplayText.columns("👩‍👩‍👧") == 2)
    #expect(DisplayText.columns("한국 ok") == 7)
    #expect(DisplayText.columns("") == 0)
  }

  @Test func controlCharactersAreNotPrinted() {
    #expect(DisplayText.printable("a\u{1B}[31m\nb\u{202E}c") == "a\u{FFFD}[31m\u{FFFD}b\u{FFFD}c")
    #expect(DisplayText.printable("naïve 👩‍👩‍👧") == "naïve 👩‍👩‍👧")
  }

  @Test func tablesAlignWhateverTheScript() {
    var table = AlignedTable([("name", .left), ("n", .right), ("note", .left)])
    table.append(["日本語", "1", ""])
    table.append(["e\u{301}t\u{E9}", "1000", "x"])
    #expect(table.text == "name       n  note\n日本語     1\ne\u{301}t\u{E9}     1000  x\n")
  }

  @Test func textIsCutToItsRoom() {
    let text = String(repeating: "word ", count: 30)
    let cut = PlotText.truncated(text, to: 100, size: 11)
    #expect(cut.hasSuffix("…"))
    #expect(PlotText.width(cut, size: 11) <= 100)
    #expect(PlotText.truncated("short", to: 100, size: 11) == "short")
    #expect(PlotText.wrapped("a bb ccc", to: 1, size: 10) == ["a", "bb", "ccc"])
    #expect(PlotText.wrapped("a bb ccc", to: 1000, size: 10) == ["a bb ccc"])
  }
}
