// The way along a path from a document's root. A link is followed where the path meets it: its own
// path comes before the rest. So is a link at the end.
//
// Links may lead in a circle, on which the path may even grow. A circle is a link that is met again
// before a step was taken that waited at the first meeting: from there on all would repeat. A circle
// leads to no value.
//
// Each place on the way costs the steps of its path, so a way cannot touch many deep places.

struct PathWalk<Value> {
  enum End {
    case value(Value, at: PlaceTable.PlaceID)
    case absent
    /// To another space, which is not looked at.
    case otherSpace
    /// The meter ran out, or there would be too many documents.
    case unknown
  }

  var end: End
  /// The places on the way.
  var holds = Set<Evaluation.Hold>()
  /// The links that were followed: where they stand, and what they name.
  var links: [(source: PlaceTable.PlaceID, target: QueryPlace)] = []
}

/// Walks along a path.
struct PathWalker<Documents: QueryDocuments> {
  /// Steps that were not taken; the next one is the last.
  private var rest: [ExactText] = []
  /// Links that would make a circle, each with the number of steps that waited when it was met.
  private var met: [(place: PlaceTable.PlaceID, restCount: Int)] = []
  private var metPlaces = Set<PlaceTable.PlaceID>()
  /// Those on the way of which no place is held yet.
  private var newDocuments = Set<ExactText>()
  private let documentCountMax: Int
  private var walk = PathWalk<Documents.Value>(end: .absent)

  private init(_ limits: DocumentQuery.Limits) { documentCountMax = limits.documentCountMax }

  /// From the root of a document.
  static func walk(
    from document: ExactText, _ path: [ExactText], space: String?, _ limits: DocumentQuery.Limits,
    _ places: inout PlaceTable, _ reader: inout DocumentReader<Documents>, _ meter: inout StepMeter
  ) -> PathWalk<Documents.Value> {
    var walker = PathWalker(limits)
    walker.rest = path.reversed()
    let place = places.root(ofDocument: document)
    walker.newDocuments.insert(document)
    walker.go(reader.root(of: document), place, space, &places, &reader, &meter)
    return walker.walk
  }

  /// From a link on.
  static func walk(
    following link: QueryLink, at place: PlaceTable.PlaceID, space: String?,
    _ limits: DocumentQuery.Limits,
    _ places: inout PlaceTable, _ reader: inout DocumentReader<Documents>, _ meter: inout StepMeter
  ) -> PathWalk<Documents.Value> {
    var walker = PathWalker(limits)
    guard let target = walker.follow(link, at: place, space, &places) else { return walker.walk }
    walker.go(reader.root(of: link.document), target, space, &places, &reader, &meter)
    return walker.walk
  }

  private mutating func go(
    _ start: Documents.Value?, _ place: PlaceTable.PlaceID, _ space: String?,
    _ places: inout PlaceTable, _ reader: inout DocumentReader<Documents>, _ meter: inout StepMeter
  ) {
    var (value, place) = (start, place)
    while let current = value {
      let link = QueryLink(current)
      let linkStepCount =
        link.map { DocumentQuery.Limits.stepsPerEvaluation + $0.path.count } ?? 0
      // A touch costs its path, because it is told with it.
      guard meter.take(1 + places.depth(of: place) + linkStepCount) else {
        walk.holds.insert(.init(place: place, reading: QueryLink.reading(current, for: .kind)))
        walk.end = .unknown
        return
      }
      if let link {
        guard let target = follow(link, at: place, space, &places) else { return }
        place = target
        value = reader.root(of: link.document)
        continue
      }
      walk.holds.insert(.init(place: place, reading: QueryLink.reading(current, for: .kind)))
      if let key = rest.popLast() {
        while let last = met.last, last.restCount > rest.count {
          metPlaces.remove(last.place)
          met.removeLast()
        }
        place = places.child(key, of: place)
        value = current.child(key)
      } else {
        walk.end = .value(current, at: place)
        return
      }
    }
    // Nothing is there. What comes is told to who reads the end.
    let depth = places.depth(of: place)
    guard meter.take((1 + rest.count) * (depth + 1) + rest.count * (rest.count + 1) / 2) else {
      walk.holds.insert(.init(place: place, reading: .content))
      walk.end = .unknown
      return
    }
    while let key = rest.popLast() { place = places.child(key, of: place) }
    walk.holds.insert(.init(place: place, reading: .content))
  }

  /// The place where the link leads to; nil if the walk ends at the link.
  private mutating func follow(
    _ link: QueryLink, at place: PlaceTable.PlaceID, _ space: String?, _ places: inout PlaceTable
  ) -> PlaceTable.PlaceID? {
    walk.holds.insert(.init(place: place, reading: .members))
    if let other = link.space, let space, ExactText(other) != ExactText(space) {
      walk.end = .otherSpace
      return nil
    }
    guard metPlaces.insert(place).inserted else { return nil }
    if !places.isHeld(link.document), !newDocuments.contains(link.document) {
      guard places.documentCount + newDocuments.count < documentCountMax else {
        walk.end = .unknown
        return nil
      }
      newDocuments.insert(link.document)
    }
    met.append((place, rest.count))
    let target = QueryPlace(document: link.document.text, path: link.path.map(\.text))
    walk.links.append((place, target))
    rest += link.path.reversed()
    return places.root(ofDocument: link.document)
  }
}
