// The median of measured figures.

extension Array where Element: Comparable {
  /// Of an even number of figures, the higher one of the two in the middle.
  package var middle: Element {
    precondition(!isEmpty, "something was measured")
    return sorted()[count / 2]
  }
}
