import Foundation
import SweepStore
import Testing

/// Stores in folders that are full, or that nobody may write to, by way of mounts of this test's own. Where they are not
/// allowed, the tests are passed over with a notice.
@Suite(.serialized)
struct StoreFolderTests {
  /// Runs a script of which `$1` is the program, in a namespace with mounts of its own.
  private func run(_ script: String, in laboratory: Laboratory) async throws -> Command.Outcome? {
    let shell = URL(fileURLWithPath: "/usr/bin/unshare")
    let probe = try await Command(["-m", "mount", "-t", "tmpfs", "tmpfs", "/mnt"], of: shell, in: laboratory).outcome()
    guard probe.status == 0 else {
      print("notice: no mounts of one's own are allowed here (\(probe.errors.prefix(80))); a test is passed over")
      return nil
    }
    try laboratory.write("set -eu\n" + script, to: "script.sh")
    return try await Command(["-m", "/bin/sh", "script.sh", Command.program.path], of: shell, in: laboratory).outcome()
  }

  @Test
  func aRunWhoseDiskIsFullWaitsAndGoesOnOnceThereIsRoom() async throws {
    let laboratory = try Laboratory(steps: 240)
    let outcome = try await run(
      """
      mkdir disk
      mount -t tmpfs -o size=16m tmpfs disk
      "$1" run sweep.yaml --workers 1 --store disk/tiny.sqlite > out 2> err &
      until "$1" events disk/tiny.sqlite 2> /dev/null | grep -q leased; do
        kill -0 $! || { cat err >&2; exit 98; }
        sleep 0.02
      done
      # Cells run, and there is no room for what they come to.
      cat /dev/zero > disk/filler 2> /dev/null || true
      until grep -q "waiting: .*the disk is full" err; do
        kill -0 $! || { cat err >&2; exit 99; }
        sleep 0.02
      done
      # It still waits, whatever time goes by, and says so to whoever looks.
      "$1" status disk/tiny.sqlite > status
      rm disk/filler
      wait $!
      cat err >&2
      cp disk/tiny.sqlite tiny.sqlite
      """, in: laboratory)
    guard let outcome else { return }
    #expect(outcome.status == 0, "\(outcome.errors)")
    #expect(outcome.errors.matches(of: /waiting:/).count == 1)
    #expect(outcome.errors.contains("the store can be written again"))
    let audit = try await Command.run(["audit", "tiny.sqlite"], in: laboratory)
    #expect(audit.status == 0, "\(audit.output)")
    #expect(try laboratory.attempts("tiny.sqlite").values.allSatisfy { $0 == 1 }, "nothing was computed twice")
  }

  @Test
  func aStoreInAFolderThatNobodyMayWriteToIsRead() async throws {
    let laboratory = try Laboratory()
    let run = try await Command.run(["run", "sweep.yaml", "--quiet", "--store", "tiny.sqlite"], in: laboratory)
    #expect(run.status == 0, "\(run.errors)")
    let outcome = try await self.run(
      """
      mkdir archive
      cp tiny.sqlite archive/
      mount --bind archive archive
      mount -o remount,ro,bind archive
      "$1" status archive/tiny.sqlite
      "$1" audit archive/tiny.sqlite
      "$1" export archive/tiny.sqlite --output out
      "$1" run sweep.yaml --store archive/tiny.sqlite --quiet || echo "run: $?"
      "$1" pause archive/tiny.sqlite || echo "pause: $?"
      ls archive
      """, in: laboratory)
    guard let outcome else { return }
    #expect(outcome.status == 0, "\(outcome.errors)")
    #expect(outcome.output.contains("tiny: proven: each of 15 cells"))
    #expect(outcome.output.hasSuffix("run: 2\npause: 2\ntiny.sqlite\n"), "\(outcome.output)")
    #expect(outcome.errors.matches(of: /archive\/tiny.sqlite.*\n/).count == 2, "\(outcome.errors)")
    #expect(try laboratory.read("out/cells.csv").contains("one-scalar"))
  }
}
