internal import SettingsFiles

/// Reads the methods of a sweep file: what each edits, and how it is trained.
struct MethodReader {
  private let methods: [SettingsNode.Entry]
  /// The file's `decomposition`.
  private let decomposition: String
  /// The names of the file's corpora.
  private let corpora: [String]
  private let training: TrainingReader

  /// Reads what the methods of a sweep file have in common.
  ///
  /// - Parameter corpora: the names of its corpora.
  init(sweep file: SettingsMapping, corpora: [String]) throws(SettingsError) {
    self.corpora = corpora
    let node = try file.required("methods", "what to compare")
    methods = try node.entries("methods by name, as in `one-scalar: {edit: prefactors, ...}`")
    guard !methods.isEmpty else { throw node.mismatch(expected: "at least one method") }
    decomposition = try file["decomposition"]?.text(Self.decompositionFile) ?? "decomposition.safetensors"
    training = try TrainingReader(training: file["training"], grid: file["grid"])
  }

  /// All methods, in the file's order.
  func read() throws(SettingsError) -> [MethodSpec] {
    var specs: [MethodSpec] = []
    for entry in methods {
      try entry.value.checkName(entry.name, "the method's name")
      specs.append(try method(entry))
    }
    try training.checkSharedEvaluationSteps(against: specs)
    try checkSize(of: specs)
    return specs
  }

  /// The most cells that a sweep may have: the coordinator holds all of them in memory.
  static let cellLimit = 1_000_000

  private func checkSize(of specs: [MethodSpec]) throws(SettingsError) {
    var total = 0
    for (spec, entry) in zip(specs, methods) {
      for budget in spec.tokenBudgets {
        let count = spec.cellCount(tokenBudget: budget) ?? .max
        guard count <= Self.cellLimit - total else {
          throw entry.value.refusal(
            "expected a sweep of at most \(Self.cellLimit) cells, found more up to this method",
            advice: "shorten an axis, or split the sweep")
        }
        total += count
      }
    }
  }

  // MARK: One method

  private enum EditKind: String, CaseIterable {
    case prefactors
    case lora
    case full

    /// What may stand in a method of this kind, besides how it is trained.
    var keys: [String] {
      switch self {
      case .prefactors: ["subcomponents", "decomposition", "alphas", "optimiser", "scan"]
      case .lora: ["rank", "sites", "subcomponents", "decomposition", "scale"]
      case .full: ["sites", "subcomponents", "decomposition"]
      }
    }
  }

  private enum OptimiserKind: String, CaseIterable {
    case adamw
    case solve
  }

  private static let decompositionFile = "a decomposition file in the target's folder"
  private static let expectedMethod = "a method, as in `{edit: prefactors, ...}`"

  private func method(_ entry: SettingsNode.Entry) throws(SettingsError) -> MethodSpec {
    switch try Self.kind(of: entry.value) {
    case .prefactors: try prefactors(entry)
    case .lora: try lora(entry)
    case .full: try full(entry)
    }
  }

  private static func kind(of node: SettingsNode) throws(SettingsError) -> EditKind {
    try SettingsMapping(node: node, entries: node.entries(expectedMethod))
      .required("edit", "prefactors, lora or full").choice(of: EditKind.self)
  }

  /// The keys of a method, if it has none that belong elsewhere.
  private func keys(
    of entry: SettingsNode.Entry, edit: EditKind
  ) throws(SettingsError) -> SettingsMapping {
    let keys = ["edit"] + edit.keys + ["grid"] + TrainingReader.settingKeys
    return try entry.value.mapping(Self.expectedMethod, keys: keys) { key in
      if TrainingReader.sharedAxes.contains(key) { return "`\(key)` is an axis: write `grid: {\(key): [...]}`" }
      let isOther = EditKind.allCases.contains { $0.keys.contains(key) }
      return isOther ? "`\(key)` has no meaning for edit: \(edit.rawValue)" : nil
    }
  }

  private func prefactors(_ entry: SettingsNode.Entry) throws(SettingsError) -> MethodSpec {
    let method = try keys(of: entry, edit: .prefactors)
    let decomposition = try self.decomposition(of: method)
    let subcomponents = try subcomponents(of: method, decomposition)

    if let scan = method["scan"] {
      try method.refuse(
        ["alphas", "optimiser", "grid"] + TrainingReader.settingKeys,
        advice: "the alphas of a scan are set, not trained; train in a method of its own")
      let alphas = try scan.mapping("a mapping with the key alpha", keys: ["alpha"])
        .required("alpha", "the values to set").distinct("a list of numbers") { node throws(SettingsError) in
          try node.number("a finite number") { _ in true }
        }
      return MethodSpec(
        name: entry.name,
        edit: .scan(subcomponents: subcomponents, alphas: alphas, decomposition: decomposition), training: nil)
    }

    let tying = try method["alphas"]?.choice(of: AlphaTying.self) ?? .separate
    let edit = MethodEdit.prefactors(subcomponents: subcomponents, alphas: tying, decomposition: decomposition)
    guard let node = method["optimiser"], try node.choice(of: OptimiserKind.self) == .solve else {
      return MethodSpec(name: entry.name, edit: edit, training: try training.adamW(for: method))
    }
    guard tying == .shared || subcomponents.count == 1 else {
      throw node.refusal(
        "expected one number to solve for, found \(subcomponents.count) separate alphas",
        advice: "add `alphas: shared`, name one subcomponent, or use `optimiser: adamw`")
    }
    return MethodSpec(name: entry.name, edit: edit, training: try training.solve(for: method))
  }

  private func lora(_ entry: SettingsNode.Entry) throws(SettingsError) -> MethodSpec {
    let method = try keys(of: entry, edit: .lora)
    let edit = MethodEdit.lora(
      ranks: try ranks(method), sites: try sites(method, "where to add B A"),
      scale: try method["scale"]?.number("a number above 0") { $0 > 0 })
    return MethodSpec(name: entry.name, edit: edit, training: try training.adamW(for: method, ownAxes: ["rank"]))
  }

  private func full(_ entry: SettingsNode.Entry) throws(SettingsError) -> MethodSpec {
    let method = try keys(of: entry, edit: .full)
    return MethodSpec(
      name: entry.name, edit: .full(sites: try sites(method, "which matrices to train")),
      training: try training.adamW(for: method))
  }

  /// `rank: 4`, or the axis `grid: {rank: [1, 4]}`.
  private func ranks(_ method: SettingsMapping) throws(SettingsError) -> [Int] {
    let rank = { (node: SettingsNode) throws(SettingsError) in
      try node.wholeNumber("a whole number of at least 1") { $0 >= 1 }
    }
    switch (method["rank"], try TrainingReader.ownGrid(of: method, axes: ["rank"])?["rank"]) {
    case (let node?, nil): return [try rank(node)]
    case (nil, let axis?): return try axis.distinct("a list of ranks", read: rank)
    case (nil, nil): return [try rank(method.required("rank", "the rank of B A"))]
    case (_?, let axis?): throw axis.refusal("expected `rank` once, found it in the method too", advice: "keep one")
    }
  }

  private func sites(_ method: SettingsMapping, _ purpose: String) throws(SettingsError) -> MethodSites {
    let node = try method.required("sites", purpose)
    let isLocalised = if case .scalar("of-selected", _) = node.value { true } else { false }
    guard isLocalised else {
      try method.refuse(["subcomponents", "decomposition"], advice: "only `sites: of-selected` has a use for it")
      return try SubcomponentReader.sites(node)
    }
    let isSelection = if case .mapping? = method["subcomponents"]?.value { true } else { false }
    if !isSelection {
      try method.refuse(["decomposition"], advice: "only a selection in its `subcomponents` has a use for it")
    }
    let choice: SubcomponentChoice
    if method["subcomponents"] == nil {
      choice = try subcomponentsOfFirstPrefactorMethod(for: node)
    } else {
      choice = try subcomponents(of: method, decomposition(of: method))
    }
    switch choice {
    case .named(let subcomponents): return .named(subcomponents.sites.map(\.description))
    case .selected(let selection): return .ofSelected(selection)
    }
  }

  /// What the method is about, among the subcomponents of a decomposition.
  private func subcomponents(
    of method: SettingsMapping, _ decomposition: String
  ) throws(SettingsError) -> SubcomponentChoice {
    try SubcomponentReader.choice(
      method.required("subcomponents", "what to scale"), corpora: corpora, decomposition: decomposition)
  }

  /// The method's own decomposition, or the file's.
  private func decomposition(of method: SettingsMapping) throws(SettingsError) -> String {
    try method["decomposition"]?.text(Self.decompositionFile) ?? decomposition
  }

  private func subcomponentsOfFirstPrefactorMethod(for node: SettingsNode) throws(SettingsError) -> SubcomponentChoice {
    for entry in methods where try Self.kind(of: entry.value) == .prefactors {
      let method = SettingsMapping(node: entry.value, entries: try entry.value.entries(Self.expectedMethod))
      return try subcomponents(of: method, decomposition(of: method))
    }
    throw node.refusal(
      "expected `subcomponents` beside of-selected, or a method with edit: prefactors whose subcomponents it can take; "
        + "found neither",
      advice: "add `subcomponents: [SITE:INDEX]`")
  }
}
