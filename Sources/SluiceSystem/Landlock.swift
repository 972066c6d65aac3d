// Landlock: rights on files that a process gives up for good, for itself and for every program that
// it starts. Files that are open already stay open.

internal import CSluice

/// The rights that Landlock knows, as the bits of the kernel's `LANDLOCK_ACCESS_FS_…`.
public struct FileRights: OptionSet, Sendable {
  public let rawValue: UInt64
  public init(rawValue: UInt64) { self.rawValue = rawValue }

  public static let execute = FileRights(rawValue: 1 << 0)
  public static let writeFile = FileRights(rawValue: 1 << 1)
  public static let readFile = FileRights(rawValue: 1 << 2)
  public static let readDirectory = FileRights(rawValue: 1 << 3)
  public static let removeDirectory = FileRights(rawValue: 1 << 4)
  public static let removeFile = FileRights(rawValue: 1 << 5)
  /// To make regular files. The other rights to make are for directories, sockets, pipes and links.
  public static let makeFile = FileRights(rawValue: 1 << 8)
  private static let makeOthers = FileRights(rawValue: 0b1_0110_1000_0000)
  /// To make the names of devices. A name of a disk is a way to every file on it.
  public static let makeDevices = FileRights(rawValue: 1 << 6 | 1 << 11)
  /// To move or link a file into another directory. Since version 2; before that it is never
  /// allowed.
  public static let moveElsewhere = FileRights(rawValue: 1 << 13)
  /// Since version 3. Before that, a process that can reach a file may truncate it.
  public static let truncate = FileRights(rawValue: 1 << 14)
  /// Since version 5.
  public static let controlDevice = FileRights(rawValue: 1 << 15)

  /// All rights to change files and directories.
  public static let allChanges: FileRights = [
    .writeFile, .removeDirectory, .removeFile, .makeFile, .makeOthers, .makeDevices, .moveElsewhere,
    .truncate,
  ]
  public static let all: FileRights = [
    .allChanges, .execute, .readFile, .readDirectory, .controlDevice,
  ]
  /// The rights that apply to a file that is not a directory.
  static let ofFiles: FileRights = [.execute, .writeFile, .readFile, .truncate, .controlDevice]

  /// The rights among these that a kernel with this version of Landlock knows.
  func known(toVersion version: Int) -> FileRights {
    var known = self
    if version < 2 { known.remove(.moveElsewhere) }
    if version < 3 { known.remove(.truncate) }
    if version < 5 { known.remove(.controlDevice) }
    return known
  }
}

/// The rights that will remain. They apply once the ruleset is entered.
public struct LandlockRuleset: ~Copyable {
  private let descriptor: FileDescriptor
  private let version: Int

  /// The version of the kernel's Landlock; 0 if there is none or it is turned off.
  public static var version: Int { max(0, Int(sluice_landlock_version())) }

  /// Denies `rights` everywhere except where they are allowed, as far as the kernel knows them.
  /// With `isolates` also denies TCP (since version 4), and abstract sockets and signals to
  /// processes outside (since version 6). Throws if there is no Landlock.
  public init(denying rights: FileRights, isolates: Bool) throws(Errno) {
    let version = Int(try check(sluice_landlock_version()))
    let number = try check(
      sluice_landlock_create(
        rights.known(toVersion: version).rawValue, isolates && version >= 4 ? 0b11 : 0,
        isolates && version >= 6 ? 0b11 : 0))
    self.version = version
    descriptor = FileDescriptor(owning: number)
  }

  /// Allows `rights`, which must be among those denied, at `file` and beneath it.
  public func allow(_ rights: FileRights, at file: borrowing FileDescriptor) throws(Errno) {
    var allowed = rights.known(toVersion: version)
    if try !file.status().isDirectory { allowed.formIntersection(.ofFiles) }
    _ = try check(
      sluice_landlock_allow(descriptor.rawValue, file.rawValue, allowed.rawValue))
  }

  /// Allows removing the names in `directory`, except those of directories.
  public func allowRemovingNames(in directory: borrowing FileDescriptor) throws(Errno) {
    try allow(.removeFile, at: directory)
  }

  /// Binds the calling thread and everything that it starts from now on, for good. Call
  /// `forbidNewPrivileges` first.
  public consuming func enter() throws(Errno) {
    _ = try check(sluice_landlock_enter(descriptor.rawValue))
  }
}

/// From now on no program that this process executes has more rights than the process itself.
public func forbidNewPrivileges() throws(Errno) {
  _ = try check(sluice_forbid_new_privileges())
}
