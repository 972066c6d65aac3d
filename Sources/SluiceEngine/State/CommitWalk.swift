// The commits that a commit follows from, with their distance.

internal import CEngine

struct CommitWalk {
  /// Commits by their `seq`: how many steps to it, over the shortest way.
  private(set) var depths: [Int64: Int64] = [:]
  /// The parent of each; that of a merge's target.
  private(set) var parents: [Int64: Int64] = [:]
  /// The commits, nearest first.
  private(set) var order: [Int64] = []

  init(from root: Int64, _ state: StateContext) throws(DatabaseError) {
    depths[root] = 0
    order = [root]
    var place = 0
    while place < order.count {
      let commit = order[place]
      place += 1
      let next = try state.query("SELECT parent, merged FROM main.state_commits WHERE seq = ?1") {
        (row) throws(DatabaseError) in
        row.bind(1, commit)
        return try row.step() ? (row.optionalInteger(0), row.optionalInteger(1)) : (nil, nil)
      }
      parents[commit] = next.0
      for parent in [next.0, next.1] {
        guard let parent, depths[parent] == nil else { continue }
        depths[parent] = depths[commit]! + 1
        order.append(parent)
      }
    }
  }

  /// The commits whose changes make the state at a commit: it and its parents, without what came
  /// over merges, which took over what they took.
  func line(from commit: Int64) -> Set<Int64> {
    var line: Set<Int64> = []
    var next: Int64? = commit
    while let commit = next {
      line.insert(commit)
      next = parents[commit]
    }
    return line
  }

  /// The commit that a query begins with: the one of an id, or the tip of the active version.
  static func root(
    _ id: String?, _ state: StateContext
  ) throws(DatabaseError) -> (seq: Int64, id: String)? {
    let sql =
      id == nil
      ? """
      SELECT m.seq, m.id FROM main.state_versions v JOIN main.state_commits m ON m.seq = v."commit"
      WHERE v.id = ?1
      """
      : "SELECT seq, id FROM main.state_commits WHERE id = ?1"
    return try state.query(sql) { (row) throws(DatabaseError) in
      row.bind(1, id ?? state.activeVersion.value)
      return try row.step() ? (row.integer(0), row.text(1)) : nil
    }
  }
}
