// The places that a query looks at: a tree of paths for each document. A place is there as long as
// an evaluation holds it or a place below it, so the places of the table are what the query touches.
//
// Who reads a place is told of the changes near it that it has to know.

struct PlaceTable {
  typealias PlaceID = Int32

  /// What a reader of a place knows of the value there.
  enum Reading: Sendable {
    /// That it is there, its kind, and that it has no key that makes a link.
    case kind
    /// Which members or elements it has, too.
    case members
    /// All of it, or that nothing is there.
    case content
  }

  private struct Node {
    var document: ExactText
    /// -1 for a document's root.
    var parent: PlaceID
    var key: ExactText
    /// The steps from the root.
    var depth: Int32
    var children: [ExactText: PlaceID] = [:]
    /// Evaluations that hold it, and places below it that are held.
    var holdCount: Int32 = 0
    var kindReaders = NumberSet.none
    var memberReaders = NumberSet.none
    var contentReaders = NumberSet.none
    /// Whether it was held when the last update ended.
    var wasHeld = false
    /// Whether it is in `changed`.
    var isListed = false
  }

  private var nodes: [Node] = []
  private var free: [PlaceID] = []
  private var roots: [ExactText: PlaceID] = [:]
  /// The places that may be held now and were not, or the other way round, since the last update.
  private var changed: [PlaceID] = []

  // MARK: Finding

  mutating func root(ofDocument document: ExactText) -> PlaceID {
    if let root = roots[document] { return root }
    let root = make(Node(document: document, parent: -1, key: ExactText(""), depth: 0))
    roots[document] = root
    return root
  }

  mutating func child(_ key: ExactText, of place: PlaceID) -> PlaceID {
    if let child = nodes[Int(place)].children[key] { return child }
    // Only these are copied: the table of children must not be, or each insertion would copy it.
    let (document, depth) = (nodes[Int(place)].document, nodes[Int(place)].depth)
    let child = make(Node(document: document, parent: place, key: key, depth: depth + 1))
    nodes[Int(place)].children[key] = child
    return child
  }

  private mutating func make(_ node: Node) -> PlaceID {
    let place: PlaceID
    if let last = free.popLast() {
      place = last
      nodes[Int(place)] = node
    } else {
      place = PlaceID(nodes.count)
      nodes.append(node)
    }
    // It goes again if nobody comes to hold it.
    list(place)
    return place
  }

  func document(of place: PlaceID) -> ExactText { nodes[Int(place)].document }

  /// The number of steps from the root.
  func depth(of place: PlaceID) -> Int { Int(nodes[Int(place)].depth) }

  func path(of place: PlaceID) -> [ExactText] {
    var path: [ExactText] = []
    var place = place
    while nodes[Int(place)].parent >= 0 {
      path.append(nodes[Int(place)].key)
      place = nodes[Int(place)].parent
    }
    return path.reversed()
  }

  func publicPlace(_ place: PlaceID) -> QueryPlace {
    QueryPlace(document: document(of: place).text, path: path(of: place).map(\.text))
  }

  /// All that are held.
  var places: [QueryPlace] {
    nodes.indices.filter { nodes[$0].holdCount > 0 }.map { publicPlace(PlaceID($0)) }
  }

  /// The number of documents of which a place is held.
  private(set) var documentCount = 0

  func isHeld(_ document: ExactText) -> Bool {
    roots[document].map { nodes[Int($0)].holdCount > 0 } ?? false
  }

  /// The documents of which a place is held.
  var documents: [ExactText] {
    roots.filter { nodes[Int($0.value)].holdCount > 0 }.map(\.key)
  }

  // MARK: Holding

  mutating func hold(_ place: PlaceID, by reader: Int32, _ reading: Reading) {
    switch reading {
    case .kind: nodes[Int(place)].kindReaders.insert(reader)
    case .members: nodes[Int(place)].memberReaders.insert(reader)
    case .content: nodes[Int(place)].contentReaders.insert(reader)
    }
    var place = place
    while place >= 0 {
      nodes[Int(place)].holdCount += 1
      guard nodes[Int(place)].holdCount == 1 else { return }
      list(place)
      place = nodes[Int(place)].parent
    }
    documentCount += 1
  }

  /// Ends one hold. A reader holds a place at most once with each reading.
  mutating func release(_ place: PlaceID, by reader: Int32, _ reading: Reading) {
    switch reading {
    case .kind: nodes[Int(place)].kindReaders.remove(reader)
    case .members: nodes[Int(place)].memberReaders.remove(reader)
    case .content: nodes[Int(place)].contentReaders.remove(reader)
    }
    var place = place
    while place >= 0 {
      nodes[Int(place)].holdCount -= 1
      guard nodes[Int(place)].holdCount == 0 else { return }
      list(place)
      place = nodes[Int(place)].parent
    }
    documentCount -= 1
  }

  private mutating func list(_ place: PlaceID) {
    if nodes[Int(place)].isListed { return }
    nodes[Int(place)].isListed = true
    changed.append(place)
  }

  /// What was touched since the last end of an update and had not been, and the other way round.
  mutating func endUpdate() -> (added: [QueryPlace], removed: [QueryPlace]) {
    var added: [QueryPlace] = []
    var removed: [QueryPlace] = []
    for place in changed {
      let node = nodes[Int(place)]
      if node.holdCount > 0, !node.wasHeld { added.append(publicPlace(place)) }
      if node.holdCount == 0, node.wasHeld { removed.append(publicPlace(place)) }
    }
    beginUpdates()
    return (added, removed)
  }

  /// Takes what is held now as what was held before, and forgets what is not held.
  mutating func beginUpdates() {
    for place in changed {
      nodes[Int(place)].isListed = false
      nodes[Int(place)].wasHeld = nodes[Int(place)].holdCount > 0
      if nodes[Int(place)].holdCount == 0 { forget(place) }
    }
    changed = []
  }

  private mutating func forget(_ place: PlaceID) {
    let node = nodes[Int(place)]
    if node.parent < 0 {
      roots[node.document] = nil
    } else {
      nodes[Int(node.parent)].children[node.key] = nil
    }
    free.append(place)
  }

  // MARK: Changes

  /// Calls `body` with each reader that a change of the value at this path may concern.
  func forEachReader(ofChangeAt path: [ExactText], in document: ExactText, _ body: (Int32) -> Void)
  {
    guard var place = roots[document] else { return }
    for (index, key) in path.enumerated() {
      let node = nodes[Int(place)]
      let next = node.children[key]
      node.contentReaders.forEach(body)
      let makesLink = key == QueryLink.outerKey
      if makesLink { node.kindReaders.forEach(body) }
      // A step that nobody took may be new here. Of others, only the last one may come or go.
      if makesLink || index == path.count - 1 || next == nil { node.memberReaders.forEach(body) }
      guard let next else { return }
      place = next
    }
    var open = [place]
    while let place = open.popLast() {
      nodes[Int(place)].kindReaders.forEach(body)
      nodes[Int(place)].memberReaders.forEach(body)
      nodes[Int(place)].contentReaders.forEach(body)
      open += nodes[Int(place)].children.values
    }
  }
}
