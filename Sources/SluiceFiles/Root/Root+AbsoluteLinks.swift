// Links with an absolute target that lead back into the root: `current -> /srv/data/releases/7` in
// /srv/data.
//
// The kernel refuses every absolute link beneath a root, and does not say which step of a path it
// refused. So that step is looked for and replaced by its target, and the kernel walks the new path,
// again beneath the root. Links may be swapped meanwhile: then the kernel refuses the new path, or
// it leads to another place in the root.

internal import SluiceSystem

extension Root {
  /// `path`, which leads out of the root as the kernel sees it, with the refused step replaced by
  /// the target of its link. Throws `outsideRoot` if that step really leads out.
  func replacingLinkOut(of path: ArraySlice<UInt8>) throws(FileError) -> [UInt8] {
    let slash = UInt8(ascii: "/")
    let steps = path.split(separator: slash)
    guard !steps.isEmpty else { throw .outsideRoot }
    let passed = try passedCount(of: steps)
    let directory = try open(pathBeneath(steps[..<passed]), [.directory, .pathOnly])
    let name = steps[passed].map { CChar(bitPattern: $0) } + [0]
    let target: [UInt8]
    do throws(Errno) {
      target = try unsafe directory.readLink(name)
    } catch {
      // `..` in the root itself, or no link any more.
      throw .outsideRoot
    }
    var replaced = Array(steps[..<passed].joined(separator: [slash]))
    if target.first == slash {
      guard let inner = try innerPath(of: target) else { throw .outsideRoot }
      replaced = inner
    } else {
      replaced += [slash] + target
    }
    for step in steps[(passed + 1)...] { replaced += [slash] + step }
    return replaced
  }

  /// How many steps the kernel walks before the one that it refuses. All longer beginnings of the
  /// path are refused too, so the number is found by halves.
  private func passedCount(of steps: [ArraySlice<UInt8>]) throws(FileError) -> Int {
    var passed = 0
    var refused = steps.count
    while refused - passed > 1 {
      let middle = (passed + refused) / 2
      do throws(FileError) {
        _ = try open(pathBeneath(steps[..<middle]), [.directory, .pathOnly])
        passed = middle
      } catch .outsideRoot {
        refused = middle
      }
    }
    return passed
  }

  /// `steps` from the root, zero-terminated.
  private func pathBeneath(_ steps: ArraySlice<ArraySlice<UInt8>>) -> [CChar] {
    if steps.isEmpty { return [CChar(bitPattern: UInt8(ascii: ".")), 0] }
    return steps.joined(separator: [UInt8(ascii: "/")]).map { CChar(bitPattern: $0) } + [0]
  }
}
