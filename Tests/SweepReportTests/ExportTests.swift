import Foundation
import SweepCore
import SweepReport
import TestSupport
import Testing

@Suite struct ExportTests {
  static func fingerprint(_ index: Int) -> String {
    "\(SmallSweep.records[index].cell.fingerprint)"
  }

  @Test func cellsHaveARowForEveryMeasurementAndForEveryCellWithout() {
    let adamW = "adamw,0.01,10.0,100,0.9,0.999,1e-08,0.0,,hinge,kl,64"
    let solve = "solve,,10.0,,,,,,,hinge,kl,64"
    let set = ",,,,,,,,,,,"
    let loraSites = "lora,,,,1,h.0.mlp.c_fc h.1.mlp.c_fc,1.0"
    let scalar = "prefactors,h.1.mlp.c_fc:8"
    let header = [
      "cell,method,fingerprint,state,failure_kind,failure,token_budget,seed",
      "edit,subcomponents,alphas,alpha,rank,sites,scale",
      "optimiser,learning_rate,retain_weight,steps,beta1,beta2,epsilon,weight_decay,clip_norm,forget_loss,retain_loss",
      "retain_tokens,step,is_final,removal_validation,removal_test,retention_cost_validation,retention_cost_test",
      "cost_french_validation,cost_french_test,cross_entropy_german_validation,cross_entropy_german_test",
      "cross_entropy_english_validation,cross_entropy_english_test",
      "cross_entropy_french_validation,cross_entropy_french_test,on_budget_frontier,on_method_frontier,on_frontier",
      "on_method_frontier_with_tokens,on_frontier_with_tokens",
      "learned_alphas,lora_norms,lora_norm,full_norms,full_norm,forget_tokens,retain_tokens_seen",
    ].joined(separator: ",")
    let none = String(repeating: ",", count: 26)
    let expected = """
      \(header)
      0,one-scalar,\(Self.fingerprint(0)),completed,,,4,0,\(scalar),separate,,,,,\(solve),0,true,\
      8.0,8.5,0.03125,0.015625,0.5,0.25,8.0,8.5,2.03125,2.515625,1.5,1.25,true,true,true,true,true,6.0,,,,,4,64
      1,one-scalar,\(Self.fingerprint(1)),completed,,,4,1,\(scalar),separate,,,,,\(solve),0,true,\
      8.25,8.0,0.046875,0.0625,0.0,0.0,8.25,8.0,2.046875,2.5625,1.0,1.0,false,false,false,false,false,-5.5,,,,,4,64
      2,lora,\(Self.fingerprint(2)),completed,,,4,0,\(loraSites),\(adamW),50,false,\
      4.0,4.25,0.0,0.0,0.0,0.0,4.0,4.25,2.0,2.5,1.0,1.0,true,true,true,true,true,,,,,,,
      2,lora,\(Self.fingerprint(2)),completed,,,4,0,\(loraSites),\(adamW),100,true,\
      7.0,7.25,1.0,0.5,1.0,0.5,7.0,7.25,3.0,3.0,2.0,1.5,true,true,false,true,false,\
      ,h.0.mlp.c_fc=3.0 h.1.mlp.c_fc=4.0,5.0,,,4,64
      3,lora,\(Self.fingerprint(3)),failed,diverged,"step 3: loss is ""nan"", stopped",4,1,\(loraSites),\(adamW)\(none)
      4,scan,\(Self.fingerprint(4)),completed,,,0,0,\(scalar),fixed,2.0,,,,\(set),0,true,\
      3.5,3.5,0.0,0.0,0.0,0.0,3.5,3.5,2.0,2.5,1.0,1.0,true,true,false,true,true,2.0,,,,,4,64
      5,scan,\(Self.fingerprint(5)),pending,,,0,0,\(scalar),fixed,4.0,,,,\(set)\(none)

      """
    #expect(SmallSweep.report().cellsCSV() == expected)
  }

  @Test func frontierHoldsTheRowsOfCellsThatAreOnAFront() {
    let sweep = SmallSweep.report()
    let cells = sweep.cellsCSV().split(separator: "\n")
    let intervals = ["removal", "retention_cost", "cost_french"].map { "\($0)_test_low,\($0)_test_high" }
    let expected = [0, 1, 3, 4, 6].map { row in
      cells[row] + (row == 0 ? "," + intervals.joined(separator: ",") : ",,,,,,") + "\n"
    }
    #expect(sweep.frontierCSV() == expected.joined())
  }

  @Test func stepsAndProvenanceHoldWhatTheirNamesSay() {
    let sweep = SmallSweep.report()
    #expect(
      sweep.stepsCSV() == """
        cell,method,step,forget_loss,retain_loss,total_loss,gradient_norm,alpha
        0,one-scalar,0,0.5,0.25,3.0,0.0,-2.0

        """)
    let lines = sweep.provenanceCSV().split(separator: "\n")
    #expect(
      lines[0]
        == "cell,method,fingerprint,state,attempts,host,engine_version,wall_seconds,tokens_per_second,cached_from")
    #expect(lines[2] == "1,one-scalar,\(Self.fingerprint(1)),completed,2,\"node,1\",0.1.0,1.5,2000.0,")
    #expect(lines[4] == "3,lora,\(Self.fingerprint(3)),failed,1,,,,,")
    #expect(lines.count == 7)
  }

  @Test func whatDiffersBetweenRunsIsInProvenanceOnly() {
    let elsewhere = SmallSweep.records.map { record in
      var record = record
      record.attempts += 3
      if record.state == .completed {
        record.failure = CellFailure(kind: .workerLost, message: "worker node7-12-ab was lost")
        record.report = AttemptReport(wallSeconds: 9, tokensPerSecond: 1, host: "node7", engineVersion: "0.2.0")
      }
      return record
    }
    let (here, there) = (SmallSweep.report(), SmallSweep.report(elsewhere))
    for (one, other) in zip(here.exportedFiles(), there.exportedFiles()) {
      #expect((one == other) == (one.name != "provenance.csv"), "\(one.name)")
    }
    #expect(here.frontierTable() == there.frontierTable())
  }

  @Test(arguments: 0..<20 as Range<UInt64>)
  func theOrderOfRecordsDoesNotMatter(seed: UInt64) {
    var generator = SeededGenerator(seed: seed)
    let shuffled = SmallSweep.report(SmallSweep.records.shuffled(using: &generator))
    #expect(shuffled.exportedFiles() == SmallSweep.report().exportedFiles(), "seed \(seed)")
    #expect(shuffled.frontierTable() == SmallSweep.report().frontierTable(), "seed \(seed)")
  }

  @Test func theTableSaysWhatEveryMethodReaches() {
    #expect(
      SmallSweep.report().frontierTable() == """
        small: 6 cells: 1 pending, 4 completed, 1 failed
        Goal: german to 7.625 nats, english cost at most 0.050 nats. Uniform guess: ln 2048 = 7.625. Base model: 3.250.

        Frontier of each method (chosen on validation; german in nats and costs in nats, on test; * reaches the goal)

        method      tokens  settings                                   learned     seed  german     english cost  french cost
        one-scalar       4  solve, retain 10                           alpha 6.00     0   8.500  *        +0.016       +0.250
        lora             4  lr 0.01, retain 10, steps 100, at step 50                 0   4.250            0.000        0.000
        lora             4  lr 0.01, retain 10, steps 100              norm 5.00      0   7.250           +0.500       +0.500
        scan             0  alpha 2                                    alpha 2.00     0   3.500            0.000        0.000

        Tokens to target: fewest german tokens to 7.625 nats for at most 0.050 nats of english
        (settings chosen for each seed on validation; medians over seeds, read on test)

        method      cells  tokens  seeds  german     english cost  french cost  hypervolume
        one-scalar    2/2       4    2/2   8.250  *        +0.039       +0.125        4.306
        lora          1/2   never    0/2       -                -            -        2.500
        scan          1/2   never    0/1       -                -            -        0.250

        No interval where a result does not tell what its windows read: pdsweep did not keep it before

        """)
  }

  @Test func whatWindowsReadGivesEveryNumberItsInterval() throws {
    // Two windows of the split: an interval can reach from one to the other.
    let records = SmallSweep.records.map { record in
      var record = record
      let result = record.result
      record.result?.windows = result.map { result in
        func windows(_ losses: SplitLosses) -> WindowLosses {
          WindowLosses(
            validation: [Float(losses.validation), Float(losses.validation)],
            test: [Float(losses.test - 0.25), Float(losses.test + 0.25)])
        }
        return ResultWindows(
          base: result.evaluations[0].corpora.map { windows($0.base) },
          edited: result.evaluations.map { $0.corpora.map { windows($0.edited) } })
      }
      return record
    }
    let sweep = SmallSweep.report(records)
    let table = sweep.frontierTable()
    #expect(table.contains("8.500 \u{B1}0.250  *  +0.016 \u{B1}0.000"))
    #expect(table.contains("\u{B1} half the 95 % interval"))
    #expect(!table.contains("No interval"))
    let rows = sweep.frontierCSV().split(separator: "\n")
    #expect(rows[1].hasSuffix(",8.25,8.75,0.015625,0.015625,0.25,0.25"), "\(rows[1])")
    let document = try FrontierDocumentTests.read(sweep.frontierJSON())
    let first = try #require((document["frontier"] as? [NSDictionary])?.first { $0["cell"] as? Int == 0 })
    let intervals = try FrontierDocumentTests.read(
      """
      {"removal": {"low": 8.25, "high": 8.75}, "retention_cost": {"low": 0.015625, "high": 0.015625},
       "off_target_costs": {"french": {"low": 0.25, "high": 0.25}}}
      """)
    #expect(first["test_intervals"] as? NSDictionary == intervals)
    let target = try #require(
      ((document["methods"] as? [NSDictionary])?.first?["tokens_to_target"] as? NSDictionary)?["test_intervals"]
        as? NSDictionary)
    // The seeds' medians, 8 and 8.5, lie as far apart as the windows.
    #expect((target["removal"] as? NSDictionary)?["low"] as? Double == 7.75)
    #expect((target["removal"] as? NSDictionary)?["high"] as? Double == 8.75)
    #expect(sweep.cellsCSV() == SmallSweep.report().cellsCSV(), "the cells' numbers stay")
    let windows = sweep.windowsCSV().split(separator: "\n")
    #expect(windows[0] == "cell,method,step,corpus,role,split,window,base,edited")
    #expect(windows[3] == "0,one-scalar,0,german,forget,test,0,3.0,8.25")
    #expect(windows.count == 1 + 4 * 3 * 2 * 2)
    #expect(SmallSweep.report().windowsCSV() == windows[0] + "\n")
  }

  @Test func aSweepWithoutResultsStillGivesEveryFile() throws {
    let pending = SmallSweep.records.map { CellRecord(cell: $0.cell, state: .pending) }
    for records in [[], pending] {
      let sweep = SmallSweep.report(records)
      #expect(sweep.cellsCSV().split(separator: "\n").count == 1 + records.count)
      #expect(sweep.frontierCSV().split(separator: "\n").count == 1)
      #expect(sweep.frontierTable().hasSuffix("No cell has a result yet.\n"))
      let document = try #require(
        JSONSerialization.jsonObject(with: Data(sweep.frontierJSON().utf8)) as? [String: Any])
      #expect((document["frontier"] as? [Any])?.isEmpty == true)
      #expect(document["hypervolume_reference"] == nil)
    }
  }

  @Test func numbersThatAreNotFiniteAreOnNoFrontAndNullInJSON() throws {
    let spoilt = SmallSweep.evaluation(step: 0, german: (.nan, .infinity), english: (2, .infinity), french: (1, 1))
    var records = SmallSweep.records
    records[0].result?.evaluations = [spoilt]
    records[4].result?.evaluations[0].corpora[0].edited.test = .infinity
    let sweep = SmallSweep.report(records)
    #expect(sweep.cellsCSV().contains(",nan,inf,0.0,inf,"))
    #expect(!sweep.frontierCSV().contains(Self.fingerprint(0)))
    let document = try #require(
      JSONSerialization.jsonObject(with: Data(sweep.frontierJSON().utf8)) as? [String: Any])
    let methods = try #require(document["methods"] as? [[String: Any]])
    let front = try #require(methods[2]["frontier"] as? [[String: Any]])
    let removal = try #require(front.first?["removal"] as? [String: Any])
    #expect(removal["validation"] as? Double == 3.5)
    #expect(removal["test"] is NSNull)
    #expect(!sweep.frontierSVG().contains("nan"))
  }
}
