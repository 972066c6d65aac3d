// A thread that serves channels, as its service sees it.

package import SluiceSystem
package import SluiceWire

/// Used by the thread itself only, except for its `post`.
package protocol ServingThread: AnyObject {
  /// Its number: 0, 1, 2 … in the order in which the threads were started.
  var number: Int { get }
  /// Its counters, which only this thread writes.
  var counts: OperationCounts { get }
  /// By which other threads reach this one.
  var post: any ThreadPost { get }
  /// The sign of life that clients may map. It ends with the server.
  var lifeDescriptor: SharedDescriptor { get }

  /// The request under way took long: look at the other channels soon.
  func noteSlowRequest()

  /// Serves what was submitted on the channels of one session that are not at rest, except on one
  /// channel.
  func serveSubmitted(ofSession id: UInt64, exceptChannel number: UInt32?)

  /// Ends a session whose client is gone, after what it had submitted is done.
  func endSession(_ id: UInt64)

  /// The service has answered a request that was `handedOver`.
  func resume(session id: UInt64, channel number: UInt32, after operation: Operation)
}

/// By which any thread reaches a thread that serves.
package protocol ThreadPost: AnyObject, Sendable {
  /// When the thread looks at its waiters, and calls `ServiceThread.alarmRang`.
  var alarm: Alarm { get }

  /// Has the thread do this, between two requests.
  func send(_ work: @escaping @Sendable () -> Void)
}
