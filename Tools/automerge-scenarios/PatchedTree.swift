// A state that follows another by patches, as a reader of patches keeps it.

internal import SluiceAutomerge

/// What a reader of patches keeps.
indirect enum PatchedTree: Equatable {
  case scalar(String)
  case map([[UInt8]: PatchedTree])
  case list([PatchedTree])
  case text(String)

  init(_ view: View) { self.init(.object(.map, .root), view) }

  init(_ value: Value, _ view: View) {
    switch value {
    case .scalar(let scalar): self = .scalar(scalarText(scalar))
    case .object(.list, let object):
      self = .list(
        (try? view.elements(of: object))?.map { PatchedTree($0.entry.value, view) } ?? [])
    case .object(.text, let object): self = .text((try? view.text(of: object)) ?? "")
    case .object(_, let object):
      var map: [[UInt8]: PatchedTree] = [:]
      // Keys that Swift takes for equal are kept apart by their bytes.
      if let properties = try? view.properties(of: object) {
        for (key, entry) in properties {
          map[Array(key.utf8)] = PatchedTree(entry.value, view)
        }
      }
      self = .map(map)
    }
  }

  mutating func apply(_ patch: Patch, _ view: View) { apply(patch, patch.path[...], view) }

  private mutating func apply(_ patch: Patch, _ path: ArraySlice<View.Step>, _ view: View) {
    if let step = path.first {
      switch (self, step) {
      case (.map(var map), .key(let key)):
        map[Array(key.utf8)]?.apply(patch, path.dropFirst(), view)
        self = .map(map)
      case (.list(var list), .index(let index)):
        list[index].apply(patch, path.dropFirst(), view)
        self = .list(list)
      // A text shows a character in place of the object that stands in it.
      default: break
      }
      return
    }
    switch (self, patch.action) {
    case (.map(var map), .set(let value, let key)):
      map[Array(key.utf8)] = PatchedTree(value, view)
      self = .map(map)
    case (.map(var map), .removeValue(let key)):
      map[Array(key.utf8)] = nil
      self = .map(map)
    case (.list(var list), .replaceSubrange(let range, let inserting)):
      list.replaceSubrange(range, with: inserting.map { PatchedTree($0, view) })
      self = .list(list)
    case (.text(let text), .replaceText(let range, let inserting)):
      var scalars = Array(text.unicodeScalars)
      scalars.replaceSubrange(range, with: inserting.unicodeScalars)
      var result = String.UnicodeScalarView()
      result.append(contentsOf: scalars)
      self = .text(String(result))
    default: break
    }
  }
}
