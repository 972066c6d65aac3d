// Why a benchmark has no result.

internal import SluiceSystem

enum BenchmarkError: Error {
  /// Something could not be measured; the text says what and why.
  case failed(String)
  /// A variant's database cannot be opened, so there is nothing to measure it by.
  case unopenable(String)
  /// The user wants no more of it.
  case interrupted

  /// A system call on `what` failed.
  static func system(_ what: String, _ error: Errno) -> BenchmarkError {
    .failed("\(what): \(unsafe String(cString: error.text))")
  }
}
