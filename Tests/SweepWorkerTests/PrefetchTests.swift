import Testing

@testable import SweepWorker

@Suite struct PrefetchTests {
  private func counts(_ prefetch: inout Prefetch, _ cells: Int, of time: Duration) -> [Int] {
    (0..<cells).map { _ in
      prefetch.note(time)
      return prefetch.count
    }
  }

  @Test("What is set by hand stays", arguments: [0, 1, 7])
  func fixed(_ count: Int) {
    var prefetch = Prefetch(count, slots: 4)
    #expect(counts(&prefetch, 1000, of: .zero).allSatisfy { $0 == count })
  }

  @Test("A pace is taken from many cells, and more is asked for step by step")
  func growth() {
    var prefetch = Prefetch(nil, slots: 1)
    #expect(counts(&prefetch, 15, of: .milliseconds(1)).allSatisfy { $0 == 1 })
    #expect(counts(&prefetch, 1, of: .milliseconds(1)) == [2])
    #expect(counts(&prefetch, 1000, of: .milliseconds(1)).last == 64)
  }

  @Test("As many as all slots run in the horizon are enough", arguments: [1, 4, 16])
  func slots(_ slots: Int) {
    var prefetch = Prefetch(nil, slots: slots)
    let count = counts(&prefetch, 1000, of: .milliseconds(25)).last ?? 0
    #expect(count >= 2 * slots && count < 4 * slots)
  }

  @Test("A long cell among short ones ends the plenty")
  func cut() {
    var prefetch = Prefetch(nil, slots: 1)
    _ = counts(&prefetch, 1000, of: .microseconds(10))
    #expect(prefetch.count == 64)
    #expect(counts(&prefetch, 1, of: .seconds(60)) == [1])
  }

  @Test("A pace that varies a little changes nothing")
  func steadiness() {
    var prefetch = Prefetch(nil, slots: 1)
    _ = counts(&prefetch, 1000, of: .milliseconds(5))
    let settled = prefetch.count
    for round in 0..<50 {
      #expect(counts(&prefetch, 16, of: .milliseconds(round % 2 == 0 ? 5 : 7)).allSatisfy { $0 == settled })
    }
  }
}
