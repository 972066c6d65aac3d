// What a sidecar may believe of a file, by the kind of file system that the file is on.
//
// A lease, a lock in memory and a shared mapping prove something about the processes of one kernel.
// Where other hosts, or a daemon behind the kernel, can change the same file, they prove nothing.
// So there is a list of file systems whose files only one kernel changes. Every other file system
// is taken for shared with other hosts. That costs speed and WAL mode, and nothing else.
//
// A file handle tells a file from the one that had its inode number before, where the file system
// keeps a generation number on the disk. Other file systems make handles of what they have, or can
// be made so that two of them have the same handles: there only the time of birth counts.

public import SluiceSystem

public struct FileSystemKind: Sendable {
  /// The name that mount(8) uses, or a number that this list does not know.
  public let name: String
  /// Whether one kernel sees every open of its files. Then a lease means that no other process has
  /// the file open, and memory can be shared with all processes that have.
  public let isLocal: Bool
  /// Why, in half a line.
  public let reason: String
  let handle: HandleWorth

  enum HandleWorth: Sendable {
    /// It tells a file from all before and after it.
    case generation
    /// The same, but it is only a name (AT_HANDLE_FID).
    case generationOfAName
    case nothing
  }

  /// The kind with that number (`f_type` of statfs).
  public init(magic: UInt32) {
    if let known = Self.known[magic] {
      self = known
    } else {
      self.init(
        "file system 0x" + String(magic, radix: 16), isLocal: false, .nothing,
        "which Sluice does not know and other hosts may have mounted")
    }
  }

  /// All that the list knows.
  public static var all: [FileSystemKind] { Array(known.values) }

  /// The kind of a file whose file system does not answer.
  static let unknown = FileSystemKind(
    "an unknown file system", isLocal: false, .nothing, "it does not say what it is")

  private init(_ name: String, isLocal: Bool, _ handle: HandleWorth, _ reason: String) {
    self.name = name
    self.isLocal = isLocal
    self.handle = handle
    self.reason = reason
  }

  /// What that means for databases there, in one line: for `sluice serve` and `sluice doctor`.
  public var consequence: String {
    isLocal
      ? "\(name), \(reason): leases, the read window and WAL mode are used"
      : "\(name), \(reason): every lock goes to the file, no read window, no WAL mode"
  }
}

extension FileDescriptor {
  /// The kind of file system that this file is on; unknown where the file system does not say.
  public borrowing func fileSystemKind() -> FileSystemKind {
    (try? fileSystem()).map { FileSystemKind(magic: $0.magic) } ?? .unknown
  }
}

extension FileSystemKind {
  private static let known: [UInt32: FileSystemKind] = {
    var kinds: [UInt32: FileSystemKind] = [:]
    let disk = "which one kernel has mounted"
    func local(
      _ magic: UInt32, _ name: String, _ handle: HandleWorth, _ reason: String? = nil
    ) {
      kinds[magic] = FileSystemKind(name, isLocal: true, handle, reason ?? disk)
    }
    func shared(_ magic: UInt32, _ name: String, _ reason: String) {
      kinds[magic] = FileSystemKind(name, isLocal: false, .nothing, reason)
    }
    // On a disk of this kernel's. If a second kernel mounted that disk too, it would ruin it at
    // once.
    local(0xef53, "ext4", .generation)
    local(0x5846_5342, "xfs", .generation)
    local(0x9123_683e, "btrfs", .generation)
    local(0xf2f5_2010, "f2fs", .generation)
    local(0xca45_1a4e, "bcachefs", .generation)
    local(0x2fc1_2fc1, "zfs", .generation)
    local(0x3153_464a, "jfs", .generation)
    local(0x5265_4973, "reiserfs", .generation)
    local(0x3434, "nilfs2", .generation)
    local(0x7366_746e, "ntfs3", .generation)
    // Their inode numbers are made up in memory, or they keep no generation.
    local(0x4d44, "vfat", .nothing)
    local(0x2011_bab0, "exfat", .nothing)
    local(0x482b, "hfsplus", .nothing)
    local(0x1501_3346, "udf", .nothing)
    // In this kernel's memory.
    local(0x0102_1994, "tmpfs", .generation, "which is this kernel's memory")
    local(0x8584_58f6, "ramfs", .nothing, "which is this kernel's memory")
    // Nobody changes these while they are mounted.
    for (magic, name) in [
      (0x7371_7368, "squashfs"), (0xe0f5_e1e2, "erofs"), (0x9660, "iso9660"),
      (0x28cd_3d45, "cramfs"),
    ] {
      local(UInt32(magic), name, .nothing, "which nobody changes")
    }
    // A change of its layers beneath it breaks overlayfs itself, whatever the layers are on: its
    // documentation forbids that. Two hosts cannot have one upper layer.
    local(
      0x794c_7630, "overlayfs", .generationOfAName, "whose layers nobody may change beneath it")

    // A daemon answers, and knows of no lease: GlusterFS, JuiceFS, sshfs, virtiofs. Disks that a
    // daemon serves, such as ntfs-3g, look the same.
    let hosts = "which other hosts may have mounted"
    shared(0x6573_5546, "fuse", hosts)
    shared(0x6969, "nfs", hosts)
    for magic: UInt32 in [0xff53_4d42, 0xfe53_4d42, 0x517b] { shared(magic, "cifs", hosts) }
    shared(0x00c3_6400, "ceph", hosts)
    shared(0x5346_414f, "afs", hosts)
    shared(0x7375_7245, "coda", hosts)
    shared(0x2003_0528, "orangefs", hosts)
    shared(0x1983_0326, "beegfs", hosts)
    // One disk that several kernels have mounted: their leases are each kernel's own.
    shared(0x0116_1970, "gfs2", hosts)
    shared(0x7461_636f, "ocfs2", hosts)
    shared(0x0bd0_0bd0, "lustre", hosts)
    shared(0x4750_4653, "gpfs", hosts)
    shared(0xa501_fcf5, "vxfs", hosts)
    // The folders of a machine that this one runs in.
    let outside = "whose files the machine around this one can change"
    shared(0x0102_1997, "9p", outside)
    shared(0x786f_4256, "vboxsf", outside)
    shared(0x7c7c_6673, "prl_fs", outside)
    shared(0xbacb_acbc, "vmhgfs", outside)
    shared(0x00c0_ffee, "hostfs", outside)
    // These lie above any of the others, and do not say above which.
    shared(0xf15f, "ecryptfs", "which may lie above one that other hosts have mounted")
    shared(0x6175_6673, "aufs", "which may lie above one that other hosts have mounted")
    return kinds
  }()
}
