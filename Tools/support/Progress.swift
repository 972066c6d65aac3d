// A line on standard error that says how far a run is. Nothing where that is no terminal.

internal import CSluice

package struct Progress {
  private let isSeen = isatty(2) == 1

  package init() {}

  /// Replaces the line.
  package func show(_ text: String) { write("\r\u{1b}[K" + text) }

  package func clear() { write("\r\u{1b}[K") }

  private func write(_ text: String) {
    guard isSeen else { return }
    var text = text
    text.withUTF8 { _ = unsafe CSluice.write(2, $0.baseAddress, $0.count) }
  }
}
