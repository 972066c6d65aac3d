// The owner and permissions of a new file.

internal import SluiceSystem

/// Gives a new journal, WAL or WAL index the owner and permissions of its database (`model`): else
/// the database's owner could not use it.
func resemble(
  _ model: FileStatus, _ descriptor: borrowing FileDescriptor, _ status: FileStatus
) {
  if status.permissions & 0o777 != model.permissions & 0o777 {
    _ = try? descriptor.setPermissions(model.permissions & 0o777)
  }
  if processIdentity().user == 0, status.owner != model.owner || status.group != model.group {
    _ = try? descriptor.setOwner(user: model.owner, group: model.group)
  }
}
