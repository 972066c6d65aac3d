// How a channel opens files.

internal import SluiceChannel
internal import SluiceSystem
public import SluiceWire

extension Channel {
  /// Opens a file. Throws `refused(.notFound)` if the file is absent and the request has no
  /// `create`. A new database or super-journal gets this process's current umask, whatever the
  /// request says. Reading the umask costs more than a call, so this first tries to open an
  /// existing file.
  public func open(_ request: OpenRequest) throws(CallError) -> RemoteFile {
    var request = request
    let hasOwnPermissions = request.kind == .mainDatabase || request.kind == .superJournal
    guard request.options.contains(.create), hasOwnPermissions else { return try ask(request) }
    if request.options.isDisjoint(with: [.exclusive, .deleteBeforeOpen, .deleteOnClose]) {
      var existing = request
      existing.options.remove(.create)
      existing.options.insert(.readWrite)
      do throws(CallError) {
        return try ask(existing)
      } catch .refused(.notFound, _) {
      }
    }
    request.umask = UInt64(currentUmask())
    return try ask(request)
  }

  private func ask(_ request: OpenRequest) throws(CallError) -> RemoteFile {
    let answer = try unsafe call(.open, request, replyingWith: OpenReply.self)
    return RemoteFile(channel: self, answer.reply)
  }
}
