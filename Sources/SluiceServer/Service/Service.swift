// What the server serves. A service takes requests and answers them in their slots; the server does
// all the rest: who may come, which thread serves, when a request is tried again, when a client has
// died.
//
//   Service          one in the process; used by all threads
//   ServiceThread    its part in one thread that serves
//   ServiceSession   its part of one client's session, in that thread
//   ServiceChannel   its part of one channel; takes the requests
//
// All but `Service` itself are confined to one thread. A `ServingThread` is what the server hands
// to the service for each thread.

package import SluiceChannel
package import SluiceSystem
package import SluiceWire

/// Which thread serves a channel.
package enum Threading: Sendable {
  /// A few threads serve all sessions. A session stays with one of them. `count` is how many there
  /// are before one of them is full; nil for a number that suits the machine.
  case shared(count: Int?)
  /// Each channel has a thread of its own. A session then has a `ServiceSession` in each of these
  /// threads. There are at most `maximum` threads.
  case perChannel(maximum: Int)
}

/// What became of a request.
package enum Outcome {
  /// The service has answered it.
  case answered
  /// It stays in its slot and is served again at this time (monotonic nanoseconds); nil means in
  /// the channel's next turn.
  case again(at: Int64?)
  /// It stays in its slot and is served again when the waiter says so.
  case waits(Waiter)
  /// Another thread has the work. The channel rests until `ServingThread.resume`.
  case handedOver
}

package protocol Service: AnyObject, Sendable {
  /// The operation codes that it serves. Others are answered with `unknownOperation`. The codes
  /// from 0x0000 to 0x000f are the server's own.
  var operations: ClosedRange<UInt16> { get }
  /// The feature bits that every client is told in its welcome.
  var features: UInt32 { get }
  var threading: Threading { get }

  /// What the door's thread watches for the service; nil for nothing. Asked once, when the server
  /// starts.
  func makeWatch() throws(Errno) -> (any Watch)?

  /// Allows, where everything is forbidden, what the service needs. Called once, before it serves.
  func allowItsUse(in ruleset: borrowing LandlockRuleset) throws(Errno)

  /// Called in a new thread, before it serves anything.
  func startThread(_ thread: any ServingThread) -> any ServiceThread

  /// Ends the service's own threads. Called once, after the last thread that serves has ended.
  func stop()
}

/// Something beside clients that the door's thread attends to.
package protocol Watch: AnyObject {
  /// Adds its descriptors to the door's poller, all with this token.
  func join(_ poller: borrowing Poller, token: UInt64) throws(Errno)

  /// Attends to what there is. `isReadable` says whether one of its descriptors has input. Gives
  /// the time of the next call (monotonic nanoseconds); nil for none.
  func attend(isReadable: Bool) -> Int64?
}

package protocol ServiceThread: AnyObject {
  func openSession(_ link: SessionLink) -> any ServiceSession

  /// The thread's alarm was set to this time or before (monotonic nanoseconds).
  func alarmRang(now: Int64)

  /// The thread ends. Its sessions have ended before.
  func end()
}

package protocol ServiceSession: AnyObject {
  func openChannel(number: UInt32, end: ProxyEnd) -> any ServiceChannel

  /// Gives up a channel, and all that belongs to it. A request that waits there is not answered any
  /// more.
  func closeChannel(number: UInt32)

  /// Gives up everything. The client is gone, or has to go.
  func end()
}

package protocol ServiceChannel: AnyObject {
  /// Serves the channel's oldest request. `now` is the coarse clock's time in nanoseconds, read
  /// where it is wanted. Throws when the client broke the protocol, which ends its session.
  func serve(
    _ request: Request, _ operation: Operation, now: @autoclosure () -> Int64
  ) throws(ProtocolViolation) -> Outcome
}
