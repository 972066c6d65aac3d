// How a process starts its private sidecar, and from which program.

internal import CSluice
internal import SluiceSystem

extension Session {
  /// Starts the `sluice` program as this process's own sidecar: the one that SLUICE_SIDECAR names,
  /// else the one beside this code (`../bin/sluice` as installed, or in the same directory), else
  /// the first in PATH.
  public static func startPrivate(
    milliseconds: Int64 = connectMillisecondsMaximum
  ) throws(ConnectError) -> Session {
    if let named = unsafe environmentValue("SLUICE_SIDECAR") {
      return try unsafe startPrivate(program: named, milliseconds: milliseconds)
    }
    guard let program = installedProgram(characters("sluice")) else { throw .programNotFound }
    return try unsafe startPrivate(program: program, milliseconds: milliseconds)
  }

  /// Starts `program` (zero-terminated) as this process's own sidecar, with the calling thread's
  /// standing. It ends with this process. Blocks until it is ready, for at most `milliseconds`.
  public static func startPrivate(
    program: UnsafePointer<CChar>, milliseconds: Int64 = connectMillisecondsMaximum
  ) throws(ConnectError) -> Session {
    let deadline = Clock.monotonicNanoseconds() + milliseconds * 1_000_000
    fillStandardDescriptors()
    let socket = try unsafe spawnServer(
      program,
      arguments: [
        characters("serve"), characters("--private"), characters("--capabilities"),
        decimal(Standing.current.capabilities),
      ])
    return try Session(socket: socket, path: nil, deadline: deadline)
  }
}

/// Starts `program` (zero-terminated) with a socket as its descriptor 3, and returns the other end.
func spawnServer(
  _ program: UnsafePointer<CChar>, arguments: [[CChar]]
) throws(ConnectError) -> FileDescriptor {
  let pair: SocketPair
  do throws(Errno) { pair = try SocketPair() } catch { throw .system(error) }
  let ours = pair.ours
  let theirs = pair.theirs
  do throws(Errno) {
    _ = try unsafe SpawnedProcess.start(program, arguments: arguments, descriptor: theirs)
  } catch {
    throw .notStarted(error)
  }
  // While this copy is open, the death of the server would go unnoticed.
  _ = consume theirs
  return ours
}

/// The program of this name (zero-terminated) beside this code (`../bin/NAME` as installed, or in
/// the same directory), else the first in PATH.
func installedProgram(_ name: [CChar]) -> [CChar]? {
  (programsBesideThisCode(name) + programsInPath(name)).first(where: isProgram)
}

private func isProgram(_ path: [CChar]) -> Bool { unsafe access(path, X_OK) == 0 }

private func programsBesideThisCode(_ name: [CChar]) -> [[CChar]] {
  let here: @convention(c) () -> Void = {}
  guard let file = unsafe fileLoaded(at: unsafeBitCast(here, to: UnsafeRawPointer.self)) else {
    return []
  }
  let path = unsafe UnsafeBufferPointer(start: file, count: strlen(file))
  let slash = CChar(bitPattern: UInt8(ascii: "/"))
  guard let last = unsafe path.lastIndex(of: slash) else { return [] }
  let directory = unsafe Array(path[...last])
  return [directory + characters("../bin/").dropLast() + name, directory + name]
}

private func programsInPath(_ name: [CChar]) -> [[CChar]] {
  guard let list = unsafe environmentValue("PATH") else { return [] }
  let colon = CChar(bitPattern: UInt8(ascii: ":"))
  return unsafe UnsafeBufferPointer(start: list, count: strlen(list)).split(separator: colon).map {
    unsafe Array($0) + characters("/").dropLast() + name
  }
}

/// The text with its terminating zero.
func characters(_ text: StaticString) -> [CChar] {
  unsafe UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount + 1).map {
    CChar(bitPattern: $0)
  }
}

/// A number in decimal digits with a terminating zero.
private func decimal(_ number: UInt64) -> [CChar] {
  var digits: [CChar] = [0]
  var rest = number
  repeat {
    digits.insert(CChar(UInt8(ascii: "0") + UInt8(rest % 10)), at: 0)
    rest /= 10
  } while rest > 0
  return digits
}
