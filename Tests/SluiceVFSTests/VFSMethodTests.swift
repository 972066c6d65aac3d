// The methods of the sqlite3_vfs, called as a shim VFS or APSW calls them, without SQLite between.

import Foundation
import Testing

struct VFSMethodTests {
  /// `method(vfs, name, result, …)`: a method of a VFS, called by the name that SQLite's header has.
  private static let prelude = """
    import ctypes
    from ctypes import c_char_p, c_int, c_void_p, byref

    class VFS(ctypes.Structure): pass
    VFS._fields_ = [("iVersion", c_int), ("szOsFile", c_int), ("mxPathname", c_int),
                    ("pNext", c_void_p), ("zName", c_char_p), ("pAppData", c_void_p)] + [
        (name, c_void_p) for name in (
            "xOpen xDelete xAccess xFullPathname xDlOpen xDlError xDlSym xDlClose xRandomness xSleep "
            "xCurrentTime xGetLastError xCurrentTimeInt64 xSetSystemCall xGetSystemCall "
            "xNextSystemCall").split()]

    library = ctypes.CDLL("libsqlite3.so.0")
    library.sqlite3_vfs_find.restype = ctypes.POINTER(VFS)

    def find(vfs): return library.sqlite3_vfs_find(vfs.encode()).contents

    def method(vfs, name, kind, *types):
        found = find(vfs)
        call = ctypes.CFUNCTYPE(kind, c_void_p, *types)(getattr(found, name))
        return lambda *words: call(ctypes.addressof(found), *words)

    def access(vfs, path, flags):
        answer = c_int(7)
        code = method(vfs, "xAccess", c_int, c_char_p, c_int, c_void_p)(
            path.encode(), flags, byref(answer))
        return code, answer.value
    """

  private static let directories = """

    os.makedirs(ROOT + "/sub/inner")
    for name, text in [("file", "x"), ("empty", "")]:
        with open(f"{ROOT}/{name}", "w") as f: f.write(text)
    os.chdir(ROOT)
    names = ["/", ".", "./", "sub", "sub/", "sub/.", "sub/..", "sub/inner/..", "sub/inner/../..",
             "file", "file/", "file/.", "file/x", "empty", "none", "none/", "none/..", "none/x"]
    for name, target in [("dangling", "none"), ("tofile", "file"), ("toempty", "empty"),
                         ("tolink", "dangling"), ("tosub", "sub"), ("loop", "loop")]:
        os.symlink(target, f"{ROOT}/{name}")
        names.append(name)
    """

  @Test func accessOfADirectoryAnswersAsStock() throws {
    let fixture = try Fixture()
    try fixture.runPython(
      VFSMethodTests.prelude + VFSMethodTests.directories + """

        for name in names:
            for path in [name, ROOT + "/" + name]:
                for flags in [0, 1]:
                    stock, ours = access("unix", path, flags), access("sluice", path, flags)
                    if stock != ours: print(path, flags, stock, ours)
        print(access("sluice", ".", 0), access("sluice", "/", 0), access("sluice", "none", 0))
        """
    ).expectLines(["(0, 1) (0, 1) (0, 0)"])
  }

  @Test func accessOfADirectoryBeneathARootAnswersAsStock() throws {
    let fixture = try Fixture(sidecar: true)
    try fixture.runPython(
      VFSMethodTests.prelude + VFSMethodTests.directories + """

        for name in names:
            for flags in [0, 1]:
                stock, ours = access("unix", ROOT + "/" + name, flags), access("sluice", name, flags)
                if stock != ours: print(name, flags, stock, ours)
        print(access("sluice", ".", 0), access("sluice", "/", 0), access("sluice", "none", 0))
        """
    ).expectLines(["(0, 1) (0, 1) (0, 0)"])
  }

  @Test func thereAreNoSystemCallsToReplace() throws {
    let fixture = try Fixture(sidecar: true)
    try fixture.runPython(
      VFSMethodTests.prelude + """

        reset = method("sluice", "xSetSystemCall", c_int, c_char_p, c_void_p)
        get = method("sluice", "xGetSystemCall", c_void_p, c_char_p)
        following = method("sluice", "xNextSystemCall", c_char_p, c_char_p)
        print(find("sluice").iVersion, find("unix").iVersion)
        print(reset(b"open", None), reset(None, None), get(b"open"), following(None))
        stock = method("unix", "xSetSystemCall", c_int, c_char_p, c_void_p)
        print(stock(b"no such call", None), stock(None, None))
        """
    ).expectLines(["3 3", "12 0 None None", "12 0"])
  }
}
