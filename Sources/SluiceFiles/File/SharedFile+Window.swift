// A file's read window: made for the first client that asks, given back when memory is short.

internal import SluiceSystem

extension SharedFile {
  /// The descriptor by which a client maps this database's window, which is made for the first one.
  func openWindow(_ budget: WindowBudget) throws(FileError) -> SharedDescriptor {
    try state.withLock { (state) throws(FileError) in
      try window.withLock { (window) throws(FileError) in
        if let window { return window.descriptor }
        let made = try system { () throws(Errno) in try ReadWindow(budget) }
        if !state.isMirrored { made.begin(fileByteCount: try self.status().byteCount) }
        window = made
        return made.descriptor
      }
    }
  }

  /// What is done to the window, if there is one.
  func withWindow<R>(_ body: (ReadWindow) -> R) -> R? {
    window.withLock { window in window.map(body) }
  }

  /// Gives back memory of so many granules, if they can be had; how many. A window of which no part
  /// can be had goes as a whole.
  func giveBackWindow(granuleCount: Int) -> Int {
    window.withLock { window in
      guard let present = window, present.memoryCount > 0 else { return 0 }
      guard present.isWhole else { return present.giveBack(granuleCount) }
      present.retire()
      window = nil
      return present.memoryCount
    }
  }
}
