// Why a tool cannot go on.

package import SluiceSystem

package enum ToolError: Error {
  /// The text says what failed and why.
  case failed(String)
  /// A database cannot be opened.
  case unopenable(String)
  /// The user interrupted the run.
  case interrupted

  /// A system call on `what` failed.
  package static func system(_ what: String, _ error: Errno) -> ToolError {
    .failed("\(what): \(unsafe String(cString: error.text))")
  }
}
