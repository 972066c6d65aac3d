// Whether loads gave what the original gave. Chunks are those of its asynchronous engine. That engine
// leaves the order of a message's dependencies open and may give one twice; there the synchronous
// engine tells the order, which is depth first without repeats.

import SluiceRecords

/// What loads that were begun together gave.
struct VectorLoads: Sendable {
  let ids: [String]
  /// In the order of their coming; each with the index of its load.
  var messages: [(load: Int, message: RecordMessage)] = []
  /// Whether each load found its value; nil until it has ended.
  var areFound: [Bool?]

  init(_ ids: [String]) {
    self.ids = ids
    areFound = ids.map { _ in nil }
  }
}

struct LoadJudgement {
  /// A message, as the vectors have it.
  private struct Event: Equatable, CustomStringConvertible {
    var id: String
    var content: JSONValue

    var description: String { "\(id) \(content)" }
  }

  private let wanted: [Event]
  /// The values in the order in which the synchronous engine begins them; nil where both engines
  /// gave the same.
  private let depthFirst: [String]?
  private let isFound: Bool

  init(_ events: [JSONValue], depthFirst: [JSONValue]?, _ tables: StoreTables) {
    var wanted: [Event] = []
    for event in Self.contents(of: events) where !wanted.contains(event) { wanted.append(event) }
    self.wanted = wanted.map { event in
      guard var members = event.content.object, let announced = members["expectContentUntil"]
      else { return event }
      members["expectContentUntil"] = VectorImprovements.announced(
        announced, stored: tables.value(event.id))
      return Event(id: event.id, content: .object(members))
    }
    self.depthFirst = depthFirst.map { Self.order(of: Self.contents(of: $0)) }
    isFound = events.compactMap { $0["done"]?.bool }.allSatisfy { $0 }
  }

  private static func contents(of events: [JSONValue]) -> [Event] {
    events.compactMap { event in
      guard let content = event["content"], let id = content["id"]?.string else { return nil }
      return Event(id: id, content: content)
    }
  }

  /// The values, each where it first comes.
  private static func order(of events: some Sequence<Event>) -> [String] {
    var ids: [String] = []
    for event in events where !ids.contains(event.id) { ids.append(event.id) }
    return ids
  }

  /// Nil if all is as it must be.
  func difference(_ loads: VectorLoads) throws -> String? {
    for (id, isFound) in zip(loads.ids, loads.areFound) where isFound != self.isFound {
      return "\(id) found: \(String(describing: isFound))"
    }
    let events = try loads.messages.map { (load, message) in
      let event = Event(
        id: String(decoding: message.id, as: UTF8.self), content: try message.vector)
      return (load: load, event: event)
    }
    guard loads.ids.count > 1 else { return difference(events.map(\.event), of: loads.ids[0]) }
    return differenceOfSeveral(events, loads.ids)
  }

  /// Between two messages of the loaded value come those on which the second depends.
  private func difference(_ found: [Event], of id: String) -> String? {
    guard let depthFirst else { return found == wanted ? nil : "\(found)" }
    let (found, wanted) = (parts(of: found, id), parts(of: wanted, id))
    if found.count != wanted.count { return "\(found.count) messages of \(id)" }
    for (found, wanted) in zip(found, wanted) {
      let ids = Set(wanted.map(\.id))
      if Self.order(of: found) != depthFirst.filter(ids.contains) {
        return "in the order \(Self.order(of: found))"
      }
      if found.count != wanted.count { return "\(found)" }
      for id in ids where found.filter({ $0.id == id }) != wanted.filter({ $0.id == id }) {
        return "\(id) as \(found.filter { $0.id == id })"
      }
    }
    return nil
  }

  /// Cuts behind each message of `id`. The last part is what comes behind all of them.
  private func parts(of events: [Event], _ id: String) -> [[Event]] {
    events.reduce(into: [[]]) { parts, event in
      parts[parts.count - 1].append(event)
      if event.id == id { parts.append([]) }
    }
  }

  /// A value comes whole with its own load, and whole or not at all with another one. Each is begun
  /// after those on which it depends.
  private func differenceOfSeveral(
    _ events: [(load: Int, event: Event)], _ ids: [String]
  ) -> String? {
    let order = Self.order(of: events.map(\.event))
    if order != depthFirst ?? Self.order(of: wanted) { return "in the order \(order)" }
    for (load, loaded) in ids.enumerated() {
      let found = events.filter { $0.load == load }.map(\.event)
      for id in Set(found.map(\.id)).union([loaded]) {
        let messages = found.filter { $0.id == id }
        if messages != wanted.filter({ $0.id == id }) { return "\(id) as \(messages)" }
      }
      if found.last?.id != loaded { return "\(loaded) before a value on which it depends" }
    }
    return nil
  }
}
