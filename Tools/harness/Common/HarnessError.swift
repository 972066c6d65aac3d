// Why a run of the harness ends before its time.

internal import SluiceSystem
internal import ToolSupport

enum HarnessError: Error {
  /// The sidecar gave a wrong answer, did something wrong or came to harm. The text says what, in
  /// one line.
  case difference(String)
  /// The harness itself could not go on. The text says why.
  case failed(String)
  /// The user interrupted the run.
  case interrupted

  /// A system call on `what` failed.
  static func system(_ what: String, _ error: Errno) -> HarnessError {
    .failed("\(what): \(unsafe String(cString: error.text))")
  }

  /// In one line, for people.
  var text: String {
    switch self {
    case .difference(let text), .failed(let text): text
    case .interrupted: "interrupted"
    }
  }
}

/// The longest time that any call may take: ten times the promised time, because the machine may be
/// busy.
let hangNanoseconds: Int64 = 10_000_000_000

/// Runs system calls on `what` that must succeed.
func needed<R: ~Copyable>(
  _ what: String, _ body: () throws(Errno) -> R
) throws(HarnessError) -> R {
  do throws(Errno) { return try body() } catch { throw .system(what, error) }
}

/// The error of a part that other tools use too.
func harnessError(_ error: ToolError) -> HarnessError {
  switch error {
  case .failed(let text), .unopenable(let text): .failed(text)
  case .interrupted: .interrupted
  }
}
