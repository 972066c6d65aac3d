// Which file: its device and inode number, as `fstat` has them. They are the file's own as long as
// a description of it is open; FileOrigin tells it from the files that have them later.

internal import SluiceSystem
internal import SluiceWire

extension FileIdentity {
  init(_ status: FileStatus) { self.init(device: status.device, inode: status.inode) }
}
