// How a channel opens files.

internal import SluiceChannel
internal import SluiceSystem
public import SluiceWire

extension Channel {
  /// Opens a file. Throws `refused(.notFound)` where it is absent and `create` was not asked. A
  /// database or super-journal that is made gets this process's umask as it is now, whatever the
  /// request says; to read that costs more than a call, so one that is there is looked for first.
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
