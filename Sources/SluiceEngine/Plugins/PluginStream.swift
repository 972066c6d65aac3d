// Frames on a socket to a process of plugins (CPlugin.h), and how long the engine waits for them.
//
// Confined to one thread.

internal import CPlugin
internal import SluiceSystem

/// How long a wait for a plugin's process lasts at most.
struct PluginPatience {
  /// By the monotonic clock, in nanoseconds.
  let end: Int64
  /// Nil where nothing but the end counts.
  var interruption: Interruption?

  private static let lookNanoseconds: Int64 = 1_000_000

  /// When to look next, if nothing comes before.
  func nextLook() -> Int64 {
    interruption == nil ? end : min(end, Clock.monotonicNanoseconds() + Self.lookNanoseconds)
  }

  func check() throws(PluginStream.Failure) {
    if interruption?.isDue() == true { throw .interrupted }
    if Clock.monotonicNanoseconds() >= end { throw .late }
  }
}

/// Frames on a socket, which another has.
struct PluginStream {
  enum Failure: Error {
    case peerEnded, late, interrupted
    case system(Errno)
  }

  private let socket: Int32
  private let patience: PluginPatience

  init(_ socket: Int32, _ patience: PluginPatience) {
    self.socket = socket
    self.patience = patience
  }

  func send(_ kind: Int, _ body: [UInt8]) throws(Failure) {
    var frame = cplugin_frame(kind: UInt32(kind), byte_count: UInt32(body.count))
    try unsafe withUnsafeBytes(of: &frame) { (bytes) throws(Failure) in try unsafe send(bytes) }
    try unsafe body.withUnsafeBufferPointer { (bytes) throws(Failure) in
      try unsafe send(UnsafeRawBufferPointer(bytes))
    }
  }

  /// The next frame; nil if it has more bytes than `byteCountMaximum` says for its kind.
  func receive(
    byteCountMaximum: (Int) -> Int
  ) throws(Failure) -> (kind: Int, body: [UInt8])? {
    // A plugin that sends without end is never waited for.
    try patience.check()
    var frame = cplugin_frame()
    try unsafe withUnsafeMutableBytes(of: &frame) { (bytes) throws(Failure) in
      try unsafe receive(into: bytes)
    }
    let byteCount = Int(frame.byte_count)
    guard byteCount <= byteCountMaximum(Int(frame.kind)) else { return nil }
    var body = [UInt8](repeating: 0, count: byteCount)
    try unsafe body.withUnsafeMutableBufferPointer { (bytes) throws(Failure) in
      try unsafe receive(into: UnsafeMutableRawBufferPointer(bytes))
    }
    return (Int(frame.kind), body)
  }

  private func send(_ bytes: UnsafeRawBufferPointer) throws(Failure) {
    var done = 0
    while done < bytes.count {
      done += try moved(
        unsafe cplugin_send_some(
          socket, bytes.baseAddress! + done, bytes.count - done, patience.nextLook()))
    }
  }

  private func receive(into bytes: UnsafeMutableRawBufferPointer) throws(Failure) {
    var done = 0
    while done < bytes.count {
      done += try moved(
        unsafe cplugin_receive_some(
          socket, bytes.baseAddress! + done, bytes.count - done, patience.nextLook()))
    }
  }

  /// How many bytes went over; 0 if the wait goes on.
  private func moved(_ result: Int64) throws(Failure) -> Int {
    if result >= 0 { return Int(result) }
    let error = Errno(Int32(-result))
    guard error == .timedOut else { throw error == .brokenPipe ? .peerEnded : .system(error) }
    try patience.check()
    return 0
  }
}
