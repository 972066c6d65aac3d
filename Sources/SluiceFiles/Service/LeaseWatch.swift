// What the door's thread does when a program outside wants a file on which the sidecar has a lease.
// What clients had submitted is done first, then the program is let in.
//
// Confined to the door's thread.

internal import SluiceServer
internal import SluiceSystem

final class LeaseWatch: Watch {
  private let files: FileTable
  private let settlers: Settlers
  private let signals: LeaseSignals
  private var outsiders = Outsiders<SharedFile>()
  /// Rings when the threads have settled for an outsider.
  private let bell: Bell

  /// How long an outsider waits at most for what clients have submitted. A client in the middle of
  /// a sync must not hold up every outsider.
  private let outsiderNanoseconds: Int64 = 200_000_000

  init(_ files: FileTable, _ settlers: Settlers) throws(Errno) {
    self.files = files
    self.settlers = settlers
    signals = try LeaseSignals()
    bell = try Bell()
  }

  func join(_ poller: borrowing Poller, token: UInt64) throws(Errno) {
    try poller.add(signals.descriptor, token: token)
    try poller.add(bell.descriptor, token: token)
  }

  func attend(isReadable: Bool) -> Int64? {
    if isReadable {
      bell.silence()
      while let lease = signals.next() { answer(lease) }
    }
    let due = outsiders.takeDue(now: Clock.monotonicNanoseconds())
    for file in due { file.answerLeaseBreak() }
    return outsiders.nextDeadline
  }

  /// Lets the outsiders in that wait for the file of that lease, or for any file, once the threads
  /// have done what clients submitted.
  private func answer(_ lease: LeaseBreak) {
    let files: [SharedFile]
    let file: SharedFile?
    switch lease {
    case .of(let descriptor):
      files = self.files.files(ofDescriptor: descriptor)
      file = files.first
    case .unknown:
      files = self.files.files(ofDescriptor: nil)
      file = nil
    }
    let threads = settlers.besides(nil, using: file)
    let settlement = Settlement(file: file, askedCount: threads.count) { [bell] in bell.ring() }
    for thread in threads { thread.settle(settlement) }
    outsiders.append(
      files, until: { settlement.isDone },
      deadline: Clock.monotonicNanoseconds() + outsiderNanoseconds)
  }
}
