// A part of a document: what stands at some paths, each at its place. Objects that hold all of what is
// asked for are written whole; those on the way become objects of the keys that were asked for.

internal import SluiceAutomerge
internal import SluiceJSON

struct Projection {
  /// A place that some path goes through or ends at.
  private struct Node {
    var isWhole = false
    /// By the order in which the paths name them.
    var children: [(key: String, node: Int)] = []
  }

  private var nodes = [Node()]

  static let pathCountMax = 4096
  static let pathDepthMax = 512

  init(_ paths: [[String]]) {
    for path in paths {
      var node = 0
      for key in path {
        if let child = nodes[node].children.first(where: { $0.key == key })?.node {
          node = child
        } else {
          nodes.append(Node())
          nodes[node].children.append((key, nodes.count - 1))
          node = nodes.count - 1
        }
      }
      nodes[node].isWhole = true
    }
  }

  func json(of view: View) -> String {
    guard !nodes[0].isWhole else { return view.json(of: .object(.map, .root)) }
    return json(of: .object(.map, .root), 0, in: view) ?? "{}"
  }

  /// Nil if none of the paths leads anywhere. It goes no deeper than the paths, which are bounded.
  private func json(of value: Value, _ index: Int, in view: View) -> String? {
    let node = nodes[index]
    if node.isWhole { return view.json(of: value) }
    var members: [String] = []
    for (key, child) in node.children {
      guard let inner = view.child(ofValue: value, key),
        let json = json(of: inner, child, in: view)
      else { continue }
      let name = String(decoding: JSONText.quoted(Array(key.utf8)), as: UTF8.self)
      members.append("\(name):\(json)")
    }
    return members.isEmpty ? nil : "{\(members.joined(separator: ","))}"
  }
}

extension View {
  /// What stands at a key of an object, or at an index of a list.
  func child(ofValue value: Value, _ key: String) -> Value? {
    guard case .object(let kind, let object) = value else { return nil }
    if kind.isSequence {
      guard kind == .list, let index = Int(key), String(index) == key,
        let entry = try? entry(at: index, in: object)
      else { return nil }
      return entry.value
    }
    return (try? self.value(forKey: key, in: object)) ?? nil
  }

  /// What stands at the end of a path of keys.
  func value(atKeys path: [String]) -> Value? {
    var value = Value.object(.map, .root)
    for key in path {
      guard let child = child(ofValue: value, key) else { return nil }
      value = child
    }
    return value
  }
}
