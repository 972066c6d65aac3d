// Which engine a connection has, and in which words it is told that there is none.

internal import CSluice
internal import CSluiceLibrary
public import SluiceClient
internal import SluiceSystem
internal import SluiceWire

@safe
public struct EnginePlace {
  /// Ends with a zero. Nil for a private engine.
  private let socket: [CChar]?

  /// `socket` ends with a zero. Nil: the one that SLUICE_SQL_SOCKET names, else a private engine.
  public init(_ socket: UnsafePointer<CChar>?) {
    let named = unsafe socket ?? environmentValue("SLUICE_SQL_SOCKET")
    self.socket = unsafe named.map {
      unsafe Array(UnsafeBufferPointer(start: $0, count: strlen($0) + 1))
    }
  }

  /// Connects, and makes what the session is for. It is generic so that its code comes into the library
  /// that calls it, beside the session's other code: a further object with the session's metadata costs
  /// each library 4 KB.
  public func connect<R>(
    _ make: (RingSession) throws(CallFailure) -> R
  ) throws(CallFailure) -> R {
    let session: RingSession
    do throws(ConnectError) {
      if let socket {
        session = try RingSession.connect(toSocket: socket)
      } else {
        session = try RingSession.startPrivateEngine()
      }
    } catch {
      throw CallFailure(SLUICE_CANTOPEN, words(error))
    }
    return try make(session)
  }

  private func words(_ error: ConnectError) -> [UInt8] {
    guard let socket else {
      switch error {
      case .programNotFound:
        return bytes(
          "no sluice-engine program found; set SLUICE_ENGINE to its path, or SLUICE_SQL_SOCKET")
      case .notStarted(let errno):
        return text(
          "the private engine cannot be started: ", errno.words,
          "; set SLUICE_ENGINE to the path of sluice-engine")
      default: return text("the private engine: ", bytes(error.text), "")
      }
    }
    let name = socket.dropLast().map { UInt8(bitPattern: $0) }
    switch error {
    case .unreachable(let errno):
      return text(
        "no engine can be reached on ",
        text("", name, ": ") + errno.words,
        "; start one with 'sluice engine --root DIR --socket PATH'")
    case .refused(.userRefused):
      return text(
        "the engine on ", name, " does not serve this user; start it with --allow-user")
    case .refused(.tooManySessions):
      return text(
        "the engine on ", name,
        " has no room for a connection; close others, or start it with --connections N")
    default: return text("the engine on ", name, ": ") + bytes(error.text)
    }
  }
}

@inline(never)
private func text(_ start: StaticString, _ middle: [UInt8], _ end: StaticString) -> [UInt8] {
  bytes(start) + middle + bytes(end)
}

extension Errno {
  fileprivate var words: [UInt8] {
    guard let text = unsafe strerror(rawValue) else { return [] }
    return unsafe Array(UnsafeRawBufferPointer(start: text, count: strlen(text)))
  }
}
