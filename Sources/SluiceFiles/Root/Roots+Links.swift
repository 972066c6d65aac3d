// Links, and `..`, that lead from one place that is served to another: `current ->
// /srv/data/releases/7` in /srv/data, or a link from the root into an also-directory.
//
// Beneath a directory the kernel refuses every absolute link and every step out, and does not say
// which step of a path it refused. So that step is looked for and replaced by the host's path to
// which it leads. If that path begins in a directory that is served, the kernel walks the rest
// beneath that one. Links may be swapped meanwhile: then the kernel refuses the new path, or it
// leads to another place that is served.

internal import SluiceSystem

private let slash = UInt8(ascii: "/")

extension Roots {
  /// Where `place` leads, which leads out of its root as the kernel sees it, with the refused step
  /// replaced. Throws `outsideRoot` if that leads to nothing that is served.
  func place(behind place: Place) throws(FileError) -> Place {
    let steps = place.path.split(separator: slash)
    guard !steps.isEmpty else { throw .outsideRoot }
    let passed = try passedCount(of: steps, in: place.root)
    let directory = try place.root.open(
      pathBeneath(steps[..<passed]), [.directory, .pathOnly])
    let step = steps[passed]
    var rest = Array(step)
    if !step.elementsEqual("..".utf8) {
      do throws(Errno) {
        rest = try unsafe directory.readLink(step.map { CChar(bitPattern: $0) } + [0])
      } catch {
        // No link any more.
        throw .outsideRoot
      }
    }
    for step in steps[(passed + 1)...] { rest += [slash] + step }
    if rest.first != slash { rest = climbed(from: try place.root.knownPath(of: directory), rest) }
    guard let next = try served(rest) else { throw .outsideRoot }
    return next
  }

  /// How many steps the kernel walks before the one that it refuses. All longer beginnings of the
  /// path are refused too, so the number is found by halves.
  private func passedCount(
    of steps: [ArraySlice<UInt8>], in root: Root
  ) throws(FileError) -> Int {
    var passed = 0
    var refused = steps.count
    while refused - passed > 1 {
      let middle = (passed + refused) / 2
      do throws(FileError) {
        _ = try root.open(pathBeneath(steps[..<middle]), [.directory, .pathOnly])
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
    return steps.joined(separator: [slash]).map { CChar(bitPattern: $0) } + [0]
  }
}

/// `path` from `directory`. Its leading `..` are resolved, because `directory` has no links in it.
private func climbed(from directory: [UInt8], _ path: [UInt8]) -> [UInt8] {
  var steps = path.split(separator: slash)[...]
  var directory = directory
  while let step = steps.first, step.elementsEqual("..".utf8) || step.elementsEqual(".".utf8) {
    if step.count == 2 { directory = normalized(directory + [slash] + step) }
    steps = steps.dropFirst()
  }
  return joined(directory, Array(steps.joined(separator: [slash])))
}
