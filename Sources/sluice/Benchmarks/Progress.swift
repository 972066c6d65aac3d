// A line on standard error that says what is going on, where somebody sees it.

internal import CSluice

struct Progress {
  private let isSeen = isatty(2) == 1

  /// Replaces the line.
  func show(_ text: String) { write("\r\u{1b}[K" + text) }

  func clear() { write("\r\u{1b}[K") }

  private func write(_ text: String) {
    guard isSeen else { return }
    var text = text
    text.withUTF8 { _ = unsafe CSluice.write(2, $0.baseAddress, $0.count) }
  }
}
