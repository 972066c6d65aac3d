// A space of documents in this process, on SQLite's own files. For programs that want the calls of a
// space, but no other process.

internal import CSluice
internal import SluiceClient
public import SluiceDocuments
internal import SluiceSystem

public enum LocalSpace {
  /// By directory, so that whoever opens a space twice gets one.
  private static let offers = FutexLock<[String: EngineOffer]>([:])

  /// Opens a space whose file is in a directory of this machine. Transactions are signed by the key in
  /// the directory's `server.key`, which is made if it is not there. If it `creates`, a space that is
  /// not there is made.
  public static func open(
    _ name: String, in directory: String, creates: Bool = false
  ) async throws(DocumentFailure) -> SluiceDocuments.Space {
    let offer = try offer(of: directory)
    return try await SluiceDocuments.Space.open(name, in: "", creates: creates) {
      () throws(DocumentFailure) in
      do throws(ConnectError) { return try LocalChannel.connect(to: offer) } catch {
        throw .notConnected(error)
      }
    }
  }

  private static func offer(of directory: String) throws(DocumentFailure) -> EngineOffer {
    guard let path = absolutePath(directory) else {
      throw .space(code: "NoSuchSpace", message: "there is no directory \(directory)")
    }
    return try offers.withLock { (offers) throws(DocumentFailure) in
      if let offer = offers[path] { return offer }
      let key: SigningKey
      do throws(ServerKeyError) { key = try serverKey(in: path) } catch {
        throw .space(code: "Storage", message: "\(path)/\(ServerKeyFile.name): \(error)")
      }
      let offer = EngineOffer(at: .beneath(path), services: .documents, key: key)
      offers[path] = offer
      return offer
    }
  }

  private static func absolutePath(_ path: String) -> String? {
    guard let resolved = unsafe realpath(path, nil) else { return nil }
    defer { unsafe free(resolved) }
    return unsafe String(cString: resolved)
  }

  private static func serverKey(in path: String) throws(ServerKeyError) -> SigningKey {
    let root: FileDescriptor
    do throws(Errno) {
      root = try unsafe FileDescriptor.open(Array(path.utf8CString), [.directory, .readOnly])
    } catch {
      throw .system(error)
    }
    return try ServerKeyFile.key(in: root)
  }
}
