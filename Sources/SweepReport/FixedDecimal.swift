/// A number with a fixed number of decimals, rounded half away from zero, the same on every machine and in every
/// locale; `nan`, `inf` and numbers of more than 15 digits as Swift describes them. Never `-0.00`.
///
/// - Parameter signed: Whether a number above zero gets a plus sign.
func fixedDecimal(_ value: Double, _ decimals: Int, signed: Bool = false) -> String {
  var scale = 1.0
  for _ in 0..<decimals { scale *= 10 }
  let scaled = (value * scale).rounded(.toNearestOrAwayFromZero)
  guard abs(scaled) < 1e15 else { return value.description }
  let whole = Int64(scaled)
  let digits = String(whole.magnitude)
  let padded = String(repeating: "0", count: max(0, decimals + 1 - digits.count)) + digits
  let sign = whole < 0 ? "-" : (signed && whole > 0 ? "+" : "")
  guard decimals > 0 else { return sign + padded }
  return sign + padded.dropLast(decimals) + "." + padded.suffix(decimals)
}

/// A whole number with commas between thousands.
func grouped(_ number: Int) -> String {
  var result = ""
  let digits = String(number.magnitude)
  for (place, digit) in digits.enumerated() {
    if place > 0, (digits.count - place).isMultiple(of: 3) { result.append(",") }
    result.append(digit)
  }
  return (number < 0 ? "-" : "") + result
}
