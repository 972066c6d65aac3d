// Evaluates invariants on views. The effort is bounded; what would take more refuses.

internal import SluiceAutomerge

/// Why an invariant does not hold.
struct InvariantFailure: Error {
  var message: String
}

/// How much may be looked at for one transaction.
struct InvariantBudget {
  private var rest = 1_000_000

  mutating func spend(_ count: Int = 1) throws(InvariantFailure) {
    rest -= count
    if rest < 0 {
      throw InvariantFailure(message: "the documents are too large for the invariants")
    }
  }
}

/// What a rule has to know of the state before the transaction.
enum InvariantMemory {
  case nothing
  case number(Double)
  /// The JSON of each element, or the scalars of a text.
  case elements([String])
  /// What cannot be remembered cannot be compared.
  case failed(InvariantFailure)
}

extension Invariant {
  /// What the rule has to know of the state before.
  func memory(of view: View, _ budget: inout InvariantBudget) -> InvariantMemory {
    switch rule {
    case .schema, .equalOrNewer: return .nothing
    case .monotonic(let path):
      return view.value(atKeys: path)?.number.map { .number($0) } ?? .nothing
    case .appendOnly(let path):
      do throws(InvariantFailure) {
        return try Self.elements(view, path, &budget).map { .elements($0) } ?? .nothing
      } catch {
        return .failed(error)
      }
    }
  }

  /// Whether the rule says something of this branch.
  func applies(to ref: BranchReference) -> Bool {
    if case .equalOrNewer = rule, ref.branch != BranchReference.mainBranch { return false }
    return scope.contains(ref.docID)
  }

  /// Throws unless the rule holds. `other` gives the state of another document's main branch, after
  /// the transaction; nil if there is none.
  func check(
    _ view: View, before: InvariantMemory, _ budget: inout InvariantBudget,
    other: (String) -> View?
  ) throws(InvariantFailure) {
    if case .failed(let failure) = before { throw failure }
    switch rule {
    case .schema(let schema):
      try SchemaRule.check(.object(.map, .root), in: view, schema, &budget)
    case .monotonic(let path):
      guard case .number(let old) = before else { return }
      guard let new = view.value(atKeys: path)?.number else {
        throw InvariantFailure(message: "\(Self.text(path)) is no number any more")
      }
      if new < old {
        throw InvariantFailure(message: "\(Self.text(path)) falls from \(old) to \(new)")
      }
    case .appendOnly(let path):
      guard case .elements(let old) = before else { return }
      guard let new = try Self.elements(view, path, &budget) else {
        throw InvariantFailure(message: "\(Self.text(path)) is no list or text any more")
      }
      guard new.starts(with: old) else {
        throw InvariantFailure(message: "\(Self.text(path)) loses or changes what it had")
      }
    case .equalOrNewer(let path, let otherDocID, let otherPath):
      guard let otherView = other(otherDocID), let bound = otherView.value(atKeys: otherPath) else {
        return
      }
      guard let value = view.value(atKeys: path) else {
        throw InvariantFailure(message: "\(Self.text(path)) is missing")
      }
      if let value = value.number, let bound = bound.number {
        if value >= bound { return }
      } else if let value = value.string, let bound = bound.string {
        if !value.utf8.lexicographicallyPrecedes(bound.utf8) { return }
      } else {
        throw InvariantFailure(message: "\(Self.text(path)) cannot be compared with \(otherDocID)")
      }
      throw InvariantFailure(message: "\(Self.text(path)) is older than that of \(otherDocID)")
    }
  }

  private static func text(_ path: [String]) -> String { "/" + path.joined(separator: "/") }

  /// Nil if no list or text stands there.
  private static func elements(
    _ view: View, _ path: [String], _ budget: inout InvariantBudget
  ) throws(InvariantFailure) -> [String]? {
    guard case .object(let kind, let object) = view.value(atKeys: path), kind.isSequence else {
      return nil
    }
    do throws(AutomergeError) {
      let count = try view.count(of: object)
      var elements: [String] = []
      if kind == .text {
        for scalar in try view.text(of: object).unicodeScalars { elements.append(String(scalar)) }
      } else {
        for (_, entry) in try view.elements(of: object) {
          elements.append(view.json(of: entry.value))
        }
      }
      var failure: InvariantFailure?
      do throws(InvariantFailure) {
        try budget.spend(max(count, elements.reduce(0) { $0 + $1.utf8.count / 8 }))
      } catch { failure = error }
      guard failure == nil else { throw AutomergeError(.limitReached) }
      return elements
    } catch {
      throw InvariantFailure(message: "\(text(path)) cannot be compared: \(error)")
    }
  }
}

extension Value {
  /// A number as JSON would have it; nil for other values.
  var number: Double? {
    guard case .scalar(let scalar) = self else { return nil }
    switch scalar {
    case .int(let number), .counter(let number), .timestamp(let number): return Double(number)
    case .uint(let number): return Double(number)
    case .double(let number): return number.isFinite ? number : nil
    default: return nil
    }
  }
}
