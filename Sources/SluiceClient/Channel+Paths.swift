// A channel's calls that name a file. Paths are bytes without a zero. They are relative to the
// sidecar's root or, with a private sidecar, absolute paths of the host.

internal import SluiceChannel
internal import SluiceSystem
public import SluiceWire

extension Channel {
  /// The canonical name of the file at `path`, with symbolic links resolved, and whether there were
  /// any. The file itself need not exist.
  public func fullPathname(
    _ path: [UInt8]
  ) throws(CallError) -> (path: [UInt8], isThroughLink: Bool) {
    let answer = try unsafe call(
      .fullPathname, PathFields(path: path), replyingWith: PathFields.self)
    return (answer.reply.path, answer.status == .doneThroughLink)
  }

  /// Removes a file; throws `refused(.notFound)` if it is absent. If a posted write has failed,
  /// this throws that failure and removes nothing, because deleting a journal commits.
  public func delete(_ path: [UInt8], syncDirectory: Bool) throws(CallError) {
    try settle()
    _ = try unsafe call(
      .delete, DeleteRequest(path: path, syncDirectory: syncDirectory),
      replyingWith: NoFields.self)
  }

  public func access(_ path: [UInt8], _ mode: AccessMode) throws(CallError) -> Bool {
    try unsafe call(.access, AccessRequest(path: path, mode: mode), replyingWith: AnswerReply.self)
      .reply.answer
  }
}
