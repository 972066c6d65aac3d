// Which program a private sidecar is.

internal import CSluice
internal import SluiceSystem

extension Session {
  /// Starts the `sluice` program as this process's own sidecar: the one that SLUICE_SIDECAR names,
  /// else the one beside this code (`../bin/sluice` as installed, or in the same directory), else
  /// the first in PATH.
  public static func startPrivate() throws(ConnectError) -> Session {
    if let named = environmentValue("SLUICE_SIDECAR") { return try startPrivate(program: named) }
    for candidate in programsBesideThisCode() + programsInPath() where isProgram(candidate) {
      return try startPrivate(program: candidate)
    }
    throw .programNotFound
  }
}

private func isProgram(_ path: [CChar]) -> Bool { access(path, X_OK) == 0 }

private func programsBesideThisCode() -> [[CChar]] {
  let here: @convention(c) () -> Void = {}
  guard let file = fileLoaded(at: unsafeBitCast(here, to: UnsafeRawPointer.self)) else { return [] }
  let path = UnsafeBufferPointer(start: file, count: strlen(file))
  let slash = CChar(bitPattern: UInt8(ascii: "/"))
  guard let last = path.lastIndex(of: slash) else { return [] }
  let directory = Array(path[...last])
  return [directory + characters("../bin/sluice"), directory + characters("sluice")]
}

private func programsInPath() -> [[CChar]] {
  guard let list = environmentValue("PATH") else { return [] }
  let colon = CChar(bitPattern: UInt8(ascii: ":"))
  return UnsafeBufferPointer(start: list, count: strlen(list)).split(separator: colon).map {
    Array($0) + characters("/sluice")
  }
}

/// The text with its terminating zero.
private func characters(_ text: StaticString) -> [CChar] {
  UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount + 1).map {
    CChar(bitPattern: $0)
  }
}
