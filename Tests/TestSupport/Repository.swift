// The repository that the tests were built from.

import Foundation

/// A file or folder of the repository, found from where this source file lies.
public func repositoryFile(_ path: String) -> URL {
  var root = URL(filePath: #filePath)
  for _ in 0..<3 { root.deleteLastPathComponent() }
  return root.appending(path: path)
}
