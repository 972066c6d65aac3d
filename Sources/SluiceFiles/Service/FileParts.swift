// What the file service is made of, for all its threads.

internal import SluiceServer

struct FileParts: Sendable {
  let roots: Roots
  let files: FileTable
  let windows: WindowBudget
  let windowKeeper: WindowKeeper
  let configuration: SidecarConfiguration
  let metrics: Metrics
  /// For syncs that would hold up others.
  let workers = Workers()
  let settlers = Settlers()
}
