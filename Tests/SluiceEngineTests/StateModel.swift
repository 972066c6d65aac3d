// A plain model of the state pipeline's rules: what versions see, what a transaction leaves, what a
// merge takes. A value, so that a savepoint is a copy. Numbers stand for changes, commits and times.

struct StateModel {
  struct Key: Hashable, Comparable {
    var schema: String
    var entity: String
    var file: String

    static func < (one: Key, other: Key) -> Bool {
      (one.schema, one.entity, one.file) < (other.schema, other.entity, other.file)
    }
  }

  /// A tracked row. Content nil is a tombstone.
  struct Tracked {
    var content: String?
    var change: Int
    var created: Int
    var commit: Int
  }

  struct Untracked {
    var content: String?
    var created: Int
    var updated: Int
  }

  struct Element {
    var content: String?
    var change: Int
    /// Whether the commit has made the change; otherwise a merge took it over.
    var isOwn: Bool
  }

  struct Commit {
    var version: String
    var parent: Int?
    var merged: Int?
    var time: Int
    var elements: [Key: Element] = [:]
  }

  struct Version {
    var tip: Int
    var inherits: String?
    var tracked: [Key: Tracked] = [:]
    var untracked: [Key: Untracked] = [:]
    /// The commit that the transaction will make.
    var pending: Int?
    /// The rows that the transaction has changed, as they were; nil for no row.
    var was: [Key: Tracked?] = [:]
  }

  struct Refusal: Error {
    var reason: String
  }

  private(set) var versions = [
    "global": Version(tip: 0, inherits: nil), "main": Version(tip: 0, inherits: "global"),
  ]
  private(set) var commits = [0: Commit(version: "global", time: 0)]
  /// Where connections begin.
  var stored = "main"
  /// The time of the transaction under way.
  var time = 0
  /// Copies share it, so that no number is used again after a rollback.
  private let counter = Counter()

  private final class Counter {
    var last = 0
  }

  private func number() -> Int {
    counter.last += 1
    return counter.last
  }

  // MARK: Reading

  /// The version and those that it inherits from, nearest first.
  func chain(_ id: String) -> [String] {
    var chain = [id]
    while let next = versions[chain.last!]!.inherits { chain.append(next) }
    return chain
  }

  /// What a version sees. `source` is where it comes from.
  enum Seen {
    case tracked(Tracked, source: String)
    case untracked(Untracked, source: String)

    var content: String? {
      switch self {
      case .tracked(let row, _): row.content
      case .untracked(let row, _): row.content
      }
    }
  }

  /// Tombstones count.
  func seen(_ key: Key, _ version: String) -> Seen? {
    for ancestor in chain(version) {
      if let row = versions[ancestor]!.untracked[key] { return .untracked(row, source: ancestor) }
      if let row = versions[ancestor]!.tracked[key] { return .tracked(row, source: ancestor) }
    }
    return nil
  }

  func keys(_ version: String) -> [Key] {
    var keys: Set<Key> = []
    for ancestor in chain(version) {
      keys.formUnion(versions[ancestor]!.untracked.keys)
      keys.formUnion(versions[ancestor]!.tracked.keys)
    }
    return keys.sorted()
  }

  func sees(_ key: Key, _ version: String) -> Bool { seen(key, version)?.content != nil }

  func isPending(_ commit: Int) -> Bool {
    versions[commits[commit]!.version]?.pending == commit
  }

  var changeCount: Int { commits.values.map { $0.elements.values.count { $0.isOwn } }.reduce(0, +) }

  // MARK: Writing

  private mutating func pendingCommit(_ version: String) throws(Refusal) -> Int {
    if let pending = versions[version]!.pending {
      guard commits[pending]!.merged == nil else { throw Refusal(reason: "has merged") }
      return pending
    }
    let pending = number()
    commits[pending] = Commit(version: version, parent: versions[version]!.tip, time: time)
    versions[version]!.pending = pending
    return pending
  }

  private func require(_ version: String) throws(Refusal) {
    guard versions[version] != nil else { throw Refusal(reason: "there is no version") }
  }

  mutating func put(
    _ key: Key, _ content: String, in version: String, isUntracked: Bool
  ) throws(Refusal) {
    try require(version)
    if isUntracked {
      let present = versions[version]!.untracked[key]
      let created = present?.content == nil ? time : present!.created
      versions[version]!.untracked[key] = Untracked(
        content: content, created: created, updated: time)
      return
    }
    versions[version]!.untracked[key] = nil
    try change(key, content, version)
  }

  private mutating func change(
    _ key: Key, _ content: String?, _ version: String
  ) throws(Refusal) {
    let pending = try pendingCommit(version)
    var row = versions[version]!.tracked[key]
    if row?.commit != pending {
      versions[version]!.was[key] = .some(row)
      row = Tracked(change: number(), created: row?.created ?? time, commit: pending)
    }
    row!.content = content
    versions[version]!.tracked[key] = row
    commits[pending]!.elements[key] = Element(content: content, change: row!.change, isOwn: true)
  }

  mutating func remove(_ key: Key, from version: String) throws(Refusal) {
    try require(version)
    switch seen(key, version) {
    case .untracked(let row, let source)? where row.content != nil:
      versions[version]!.untracked[key] =
        source == version ? nil : Untracked(content: nil, created: time, updated: time)
    case .tracked(let row, let source)? where row.content != nil:
      if source == version, row.commit == versions[version]!.pending,
        let was = versions[version]!.was[key], was?.content == nil,
        was != nil || !isInherited(key, version)
      {
        // Refuses what a merge has brought.
        _ = try pendingCommit(version)
        commits[row.commit]!.elements[key] = nil
        versions[version]!.tracked[key] = was
        versions[version]!.was[key] = nil
        return
      }
      try change(key, nil, version)
    default: break
    }
  }

  private func isInherited(_ key: Key, _ version: String) -> Bool {
    versions[version]!.inherits.map { sees(key, $0) } ?? false
  }

  // MARK: Versions

  /// The tracked rows at a commit, from the history alone.
  private func rows(at commit: Int) -> [Key: Tracked] {
    var line: [Int] = []
    var next: Int? = commit
    while let commit = next {
      line.append(commit)
      next = commits[commit]!.parent
    }
    var rows: [Key: Tracked] = [:]
    for commit in line.reversed() {
      for (key, element) in commits[commit]!.elements {
        rows[key] = Tracked(
          content: element.content, change: element.change,
          created: rows[key]?.created ?? commits[commit]!.time, commit: commit)
      }
    }
    return rows
  }

  mutating func createVersion(
    _ id: String, at commit: Int, inherits: String?
  ) throws(Refusal) {
    guard versions[id] == nil else { throw Refusal(reason: "already") }
    guard !isPending(commit) else { throw Refusal(reason: "there is no commit") }
    guard inherits != id else { throw Refusal(reason: "inherit from itself") }
    if let inherits { try require(inherits) }
    versions[id] = Version(tip: commit, inherits: inherits, tracked: rows(at: commit))
  }

  mutating func inherit(_ id: String, from parent: String?) throws(Refusal) {
    if let parent {
      try require(parent)
      guard id != "global" else { throw Refusal(reason: "inherits from nothing") }
      guard !chain(parent).contains(id) else { throw Refusal(reason: "inherit from itself") }
    }
    versions[id]!.inherits = parent
  }

  mutating func removeVersion(_ id: String, active: String) throws(Refusal) {
    guard id != "global", id != active else { throw Refusal(reason: "is needed") }
    guard stored != id, versions[id]!.pending == nil,
      !versions.values.contains(where: { $0.inherits == id })
    else { throw Refusal(reason: "is inherited from") }
    versions[id] = nil
  }

  // MARK: Merges

  private func hasChanges(_ version: String) -> Bool {
    versions[version]!.pending.map {
      commits[$0]!.merged != nil || !commits[$0]!.elements.isEmpty
    } ?? false
  }

  private func ancestors(of commit: Int) -> Set<Int> {
    var found: Set<Int> = []
    var next = [commit]
    while let commit = next.popLast() {
      guard found.insert(commit).inserted else { continue }
      next += [commits[commit]!.parent, commits[commit]!.merged].compactMap { $0 }
    }
    return found
  }

  mutating func merge(_ source: String, into target: String) throws(Refusal) {
    for version in [source, target] {
      try require(version)
      if hasChanges(version) { throw Refusal(reason: "not committed") }
    }
    if source == target { return }
    let new = ancestors(of: versions[source]!.tip).subtracting(
      ancestors(of: versions[target]!.tip))
    let touched = Set(new.flatMap { commits[$0]!.elements.keys })
    let taken = touched.filter { key in
      // The source did not take over what it had nothing to delete of.
      guard let theirs = versions[source]!.tracked[key] else { return false }
      let ours = versions[target]!.tracked[key]
      if theirs.change == ours?.change { return false }
      if theirs.content != nil || ours?.content != nil { return true }
      // There is nothing to delete where a tombstone is.
      return ours == nil
        && chain(target).contains { ancestor in
          versions[ancestor]!.tracked[key]?.content != nil
            || versions[ancestor]!.untracked[key]?.content != nil
        }
    }
    if taken.isEmpty { return }
    let pending = try pendingCommit(target)
    commits[pending]!.merged = versions[source]!.tip
    for key in taken {
      let row = versions[source]!.tracked[key]!
      let ours = versions[target]!.tracked[key]
      versions[target]!.was[key] = .some(ours)
      versions[target]!.tracked[key] = Tracked(
        content: row.content, change: row.change, created: ours?.created ?? time, commit: pending)
      versions[target]!.untracked[key] = nil
      commits[pending]!.elements[key] = Element(
        content: row.content, change: row.change, isOwn: false)
    }
  }

  // MARK: The end of a transaction

  mutating func commit() {
    for id in versions.keys {
      guard let pending = versions[id]!.pending else { continue }
      if commits[pending]!.elements.isEmpty {
        commits[pending] = nil
      } else {
        versions[id]!.tip = pending
      }
      versions[id]!.pending = nil
      versions[id]!.was = [:]
    }
  }
}
