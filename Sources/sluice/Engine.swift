// sluice engine: becomes the program sluice-engine, which links SQLite. This program does without.

internal import CSluice
internal import SluiceCommand
internal import SluiceSystem

let engineCommand = Command(
  name: "engine", summary: "run SQLite for programs that send SQL", help: "",
  // All words, --help too, are the other program's.
  ownWords: { _ in [] }, run: becomeEngine)

private func becomeEngine(_ words: [String]) throws(CommandError) -> Int32 {
  let program: String
  do throws(InstallationError) {
    program = try Installation.engine(beside: try Installation.program())
  } catch {
    throw .failed("engine: \(error.text)")
  }
  do throws(Errno) {
    try become(([program] + words).map(zeroTerminated))
  } catch {
    throw .failed("engine: \(program): \(unsafe String(cString: error.text))")
  }
}
