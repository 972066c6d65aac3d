// Paths as text: nothing here looks at the file system, so links are not followed. A text like this
// proposes a name; only the kernel decides where it leads.
//
// The client uses this too, so it does without String and without generic collections.

private let slash = UInt8(ascii: "/")
private let dot = UInt8(ascii: ".")

/// `path` made absolute, without empty, `.` and `..` components.
public func normalized(_ path: [UInt8]) -> [UInt8] {
  var result: [UInt8] = []
  var start = 0
  while start < path.count {
    var end = start
    while end < path.count, path[end] != slash { end += 1 }
    if isParent(path, start, end) {
      while let last = result.popLast(), last != slash {}
    } else if end > start, !(end == start + 1 && path[start] == dot) {
      result.append(slash)
      for index in start..<end { result.append(path[index]) }
    }
    start = end + 1
  }
  if result.isEmpty { result.append(slash) }
  return result
}

/// `path` below `directory`.
public func joined(_ directory: [UInt8], _ path: [UInt8]) -> [UInt8] {
  var start = 0
  while start < path.count, path[start] == slash { start += 1 }
  var result = directory
  if start < path.count, result.last != slash { result.append(slash) }
  for index in start..<path.count { result.append(path[index]) }
  return result
}

/// Whether `path` begins with `directory`.
public func isBeneath(_ path: [UInt8], _ directory: [UInt8]) -> Bool {
  if directory.count == 1 { return true }
  guard path.count >= directory.count else { return false }
  for index in 0..<directory.count where path[index] != directory[index] { return false }
  return path.count == directory.count || path[directory.count] == slash
}

/// The rest of `path` behind `directory`, from the slash on; "/" for the directory itself. Nil if
/// `path` does not begin with `directory`.
public func remainder(of path: [UInt8], beneath directory: [UInt8]) -> [UInt8]? {
  if directory.count == 1 { return path }
  guard isBeneath(path, directory) else { return nil }
  return path.count == directory.count ? [slash] : Array(path[directory.count...])
}

/// The directory, with its slash, and the last component of `path`. Nil if the component is empty,
/// `.` or `..`, or if there is no directory.
public func directoryAndName(of path: [UInt8]) -> (directory: [UInt8], name: [UInt8])? {
  var start = path.count
  while start > 0, path[start - 1] != slash { start -= 1 }
  let isDot = start + 1 == path.count && path[start] == dot
  if start == 0 || start == path.count || isDot || isParent(path, start, path.count) { return nil }
  var directory: [UInt8] = []
  for index in 0..<start { directory.append(path[index]) }
  var name: [UInt8] = []
  for index in start..<path.count { name.append(path[index]) }
  return (directory, name)
}

private func isParent(_ path: [UInt8], _ start: Int, _ end: Int) -> Bool {
  end == start + 2 && path[start] == dot && path[start + 1] == dot
}
