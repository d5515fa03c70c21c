internal import SweepCore

/// The settings of a cell as flat fields, for tables and JSON: all that a grid may vary but token budget and seed.
struct CellSettings: Hashable, Encodable {
  var edit: String
  var subcomponents: [String]?
  var alphas: String?
  var alpha: Double?
  var rank: Int?
  var sites: [String]?
  var scale: Double?
  var optimiser: String?
  var learningRate: Double?
  var steps: Int?
  var beta1: Double?
  var beta2: Double?
  var epsilon: Double?
  var weightDecay: Double?
  var clipNorm: Double?
  var forgetLoss: String?
  var retainLoss: String?
  var retainWeight: Double?
  var retainTokens: Int?

  init(_ specification: CellSpecification) {
    switch specification.edit {
    case .prefactors(let subcomponents, let alphas):
      edit = "prefactors"
      self.subcomponents = subcomponents
      switch alphas {
      case .separate: self.alphas = "separate"
      case .shared: self.alphas = "shared"
      case .fixed(let alpha):
        self.alphas = "fixed"
        self.alpha = alpha
      }
    case .lora(let rank, let sites, let scale):
      edit = "lora"
      self.rank = rank
      self.scale = scale
      self.sites = sites.names
    case .full(let sites):
      edit = "full"
      self.sites = sites.names
    }
    guard let training = specification.training else { return }
    forgetLoss = training.forgetLoss.rawValue
    retainLoss = training.retainLoss.rawValue
    retainWeight = training.retainWeight
    retainTokens = training.retainTokens
    switch training.optimiser {
    case .solve: optimiser = "solve"
    case .adamW(let settings):
      optimiser = "adamw"
      learningRate = settings.learningRate
      steps = settings.steps
      beta1 = settings.beta1
      beta2 = settings.beta2
      epsilon = settings.epsilon
      weightDecay = settings.weightDecay
      clipNorm = settings.clipNorm
    }
  }

  /// A setting, by its name in files and, shorter, in tables.
  struct Field: Sendable {
    let name: String
    let label: String
    /// Whether tables show it even where it is the same in all cells of a method.
    let isMain: Bool
    /// The setting as text; `nil` where the cell has no such setting.
    let text: @Sendable (CellSettings) -> String?

    init(_ name: String, _ label: String, isMain: Bool = false, text: @escaping @Sendable (CellSettings) -> String?) {
      self.name = name
      self.label = label
      self.isMain = isMain
      self.text = text
    }
  }

  /// All settings in a fixed order.
  static let fields: [Field] = [
    Field("edit", "edit") { $0.edit },
    Field("subcomponents", "subcomponents") { $0.subcomponents?.joined(separator: " ") },
    Field("alphas", "alphas") { $0.alphas },
    Field("alpha", "alpha", isMain: true) { $0.alpha?.description },
    Field("rank", "rank") { $0.rank?.description },
    Field("sites", "sites") { $0.sites?.joined(separator: " ") },
    Field("scale", "scale") { $0.scale?.description },
    Field("optimiser", "optimiser") { $0.optimiser },
    Field("learning_rate", "lr", isMain: true) { $0.learningRate?.description },
    Field("retain_weight", "retain", isMain: true) { $0.retainWeight?.description },
    Field("steps", "steps", isMain: true) { $0.steps?.description },
    Field("beta1", "beta1") { $0.beta1?.description },
    Field("beta2", "beta2") { $0.beta2?.description },
    Field("epsilon", "epsilon") { $0.epsilon?.description },
    Field("weight_decay", "weight decay") { $0.weightDecay?.description },
    Field("clip_norm", "clip") { $0.clipNorm?.description },
    Field("forget_loss", "forget loss") { $0.forgetLoss },
    Field("retain_loss", "retain loss") { $0.retainLoss },
    Field("retain_tokens", "retain tokens") { $0.retainTokens?.description },
  ]
}

extension SiteSelection {
  fileprivate var names: [String] {
    switch self {
    case .all: ["all"]
    case .named(let paths): paths
    }
  }
}

/// Describes settings in few words, for tables and plots.
struct SettingsDescriber {
  /// The fields that vary, for each method.
  private let varying: [String: Set<String>]

  init(_ records: [CellRecord]) {
    self.init(records.lazy.map(\.cell))
  }

  init(_ cells: some Sequence<Cell>) {
    var seen: [String: [String: Set<String?>]] = [:]
    for cell in cells {
      let settings = CellSettings(cell.specification)
      for field in CellSettings.fields {
        seen[cell.method, default: [:]][field.name, default: []].insert(field.text(settings))
      }
    }
    varying = seen.mapValues { Set($0.filter { $0.value.count > 1 }.keys) }
  }

  /// The settings that matter of a point: `lr 0.1, retain 10, steps 100`.
  func text(for point: TradeOffPoint) -> String {
    let settings = text(for: point.cell)
    guard !point.isFinal else { return settings }
    return (settings.isEmpty ? "" : settings + ", ") + "at step \(point.evaluation.step)"
  }

  /// The settings that matter of a cell.
  func text(for cell: Cell) -> String {
    let settings = CellSettings(cell.specification)
    let varying = varying[cell.method, default: []]
    var parts = CellSettings.fields.compactMap { field -> String? in
      guard field.isMain || varying.contains(field.name), let text = field.text(settings) else { return nil }
      return "\(field.label) \(Double(text) != nil && text.hasSuffix(".0") ? String(text.dropLast(2)) : text)"
    }
    if settings.optimiser == "solve", !varying.contains("optimiser") { parts.insert("solve", at: 0) }
    return parts.joined(separator: ", ")
  }
}
