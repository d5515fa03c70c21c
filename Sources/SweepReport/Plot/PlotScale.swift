internal import Foundation

/// Maps numbers to the unit interval, and says which of them to mark.
protocol PlotScale: Sendable {
  /// The numbers at 0 and 1.
  var domain: ClosedRange<Double> { get }
  /// The place of a number of the domain.
  func place(_ value: Double) -> Double
  /// Numbers to mark with a label, the most important first.
  var ticks: [(value: Double, label: String)] { get }
  /// Numbers to mark without.
  var minorTicks: [Double] { get }
}

/// Equal steps.
struct LinearScale: PlotScale {
  let domain: ClosedRange<Double>
  /// About how many steps between ticks.
  let steps: Double

  func place(_ value: Double) -> Double {
    (value - domain.lowerBound) / (domain.upperBound - domain.lowerBound)
  }

  var ticks: [(value: Double, label: String)] {
    let rough = (domain.upperBound - domain.lowerBound) / steps
    let decade = pow(10, log10(rough).rounded(.down))
    let factor = [1.0, 2, 5, 10].first { $0 * decade >= rough } ?? 10
    let step = factor * decade
    let decimals = max(0, -Int(log10(step).rounded(.down)))
    let first = Int((domain.lowerBound / step).rounded(.up))
    let last = Int((domain.upperBound / step).rounded(.down))
    return (first...max(first, last)).map { (Double($0) * step, axisNumeral(Double($0) * step, decimals)) }
  }

  var minorTicks: [Double] { [] }
}

/// Equal steps, with ticks where something is.
struct LabelledScale: PlotScale {
  let domain: ClosedRange<Double>
  let ticks: [(value: Double, label: String)]

  func place(_ value: Double) -> Double {
    (value - domain.lowerBound) / (domain.upperBound - domain.lowerBound)
  }

  var minorTicks: [Double] { [] }
}

/// Symmetric logarithmic: sign(x) log10(1 + |x| / threshold). Close to linear for numbers well below the threshold,
/// to logarithmic for those well above, and smooth between.
struct SymmetricLogScale: PlotScale {
  let domain: ClosedRange<Double>
  /// The power of ten at which linear turns into logarithmic.
  let thresholdExponent: Int

  func place(_ value: Double) -> Double {
    let (low, high) = (bend(domain.lowerBound), bend(domain.upperBound))
    return (bend(value) - low) / (high - low)
  }

  var ticks: [(value: Double, label: String)] {
    let decades = exponents.reversed().flatMap { exponent -> [(value: Double, label: String)] in
      let decade = pow(10, Double(exponent))
      return [decade, -decade].map { ($0, axisNumeral($0, max(0, -exponent))) }
    }
    return [(0, "0")] + decades.filter { domain.contains($0.value) }
  }

  var minorTicks: [Double] {
    exponents.flatMap { exponent -> [Double] in
      let decade = pow(10, Double(exponent))
      let above = (2...9).map { Double($0) * decade }
      return above + above.map { -$0 }
    }.filter(domain.contains)
  }

  private var exponents: ClosedRange<Int> {
    let greatest = max(abs(domain.lowerBound), abs(domain.upperBound))
    return thresholdExponent...max(thresholdExponent, Int(log10(greatest).rounded(.down)))
  }

  private func bend(_ value: Double) -> Double {
    let size = log10(1 + abs(value) / pow(10, Double(thresholdExponent)))
    return value < 0 ? -size : size
  }
}

/// A number for an axis, with a true minus sign.
private func axisNumeral(_ value: Double, _ decimals: Int) -> String {
  let text = fixedDecimal(value, decimals)
  return text.hasPrefix("-") ? "\u{2212}" + text.dropFirst() : text
}
