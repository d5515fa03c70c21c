@testable import LanguageModel

/// The JSON of golden cases; see the README of a golden folder.
enum GoldenData {
  struct Batch: Decodable {
    let input_ids: [[Int]]
    let target_ids: [[Int]]

    var windows: [TokenWindow] {
      zip(input_ids, target_ids).map { TokenWindow(inputs: $0, targets: $1) }
    }
  }

  struct Forward: Decodable {
    struct Truth: Decodable {
      let mean_ce: Double
    }
    let input_ids: [[Int]]
    let target_ids: [[Int]]
    let truth: Truth
  }

  struct Masked: Decodable {
    struct Truth: Decodable {
      let divergence: Double
      let mean_ce: Double
    }
    let input_ids: [[Int]]
    let target_ids: [[Int]]
    let decomposition: String
    let rows: [String: [Int]]
    let truth: Truth
  }

  struct AlphaEdit: Decodable {
    let matrix: String
    let c: Int
    let alpha: Double
  }

  struct LoRA: Decodable {
    let rank: Int
    let alpha: Double
    let scale: Double
    let targets: [String]
  }

  struct Edited: Decodable {
    let decomposition: String?
    let edits: [AlphaEdit]?
    let lora: LoRA?
    let input_ids: [[Int]]
  }

  struct Loss: Decodable {
    let forget: String
    let retain: String
    let lambda: Double
  }

  struct Gradient: Decodable {
    struct Truth: Decodable {
      let total: Double
      let forget_loss: Double
      let retain_loss: Double
      let grad_alpha: [Double]?
    }
    let loss: Loss
    let forget: Batch
    let retain: Batch
    let decomposition: String?
    let edits: [AlphaEdit]?
    let lora: LoRA?
    let truth: Truth
  }

  struct Optimiser: Decodable {
    let lr: Double
    let betas: [Double]
    let eps: Double
    let weight_decay: Double
    let clip: Double?
    let steps: Int
  }

  struct Tolerance: Decodable {
    let compare_steps: Int
    let tol_params_maxabs_after_step: [Double]
    let tol_loss_abs_at_step: [Double]
    let tol_final_params_rl2: Double?
  }

  struct Trajectory: Decodable {
    struct Truth: Decodable {
      struct After: Decodable {
        let total: Double
        let forget: Double
        let retain: Double
      }
      let total: [Double]
      let forget: [Double]
      let retain: [Double]
      let grad_norm_preclip: [Double]
      let after_last_step: After
      let alpha_after_step: [[Double]]?
    }
    let loss: Loss
    let optimizer: Optimiser
    let decomposition: String?
    let edits: [AlphaEdit]?
    let lora: LoRA?
    let forget: Batch
    let retain: Batch
    let truth: Truth
    let tolerance: Tolerance
  }

  struct Pretraining: Decodable {
    struct Truth: Decodable {
      let loss: [Double]
      let grad_norm_preclip: [Double]
    }
    let optimizer: Optimiser
    let batches: [Batch]
    let truth: Truth
    let tolerance: Tolerance
  }

  struct Generation: Decodable {
    struct Truth: Decodable {
      let generated: [Int]
    }
    let prompt: [Int]
    let max_new_tokens: Int
    let truth: Truth
  }
}
