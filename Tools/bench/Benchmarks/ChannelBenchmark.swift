// sluice-bench channel: the time of a round trip, beside the least time that two processes need.

internal import SluiceClient
internal import SluiceCommand
internal import SluiceSystem
internal import SluiceWire
internal import ToolSupport

struct ChannelBenchmark: Benchmark {
  static let name = "channel"
  static let options: Set<String> = ["--count"]

  private let count: Int

  /// The things that are timed, which take the place of variants here.
  private enum Trip: String, CaseIterable {
    case spin = "bare spin ping-pong"
    case futex = "bare futex ping-pong"
    case null = "null operation"
    case read = "read of 4 KiB, cached"
    case write = "write of 4 KiB, cached"
  }

  init(_ parameters: BenchmarkParameters, on bench: Workbench) {
    count = parameters.count ?? 20_000
  }

  func run(on bench: Workbench) throws(ToolError) -> BenchmarkReport {
    let subject = "round trip"
    var report = BenchmarkReport(
      ChannelBenchmark.name, "round trips through a channel to a private sidecar",
      rounds: bench.rounds, order: Trip.allCases.map(\.rawValue))
    report.declare(
      subject, .nanoseconds, .less, base: Trip.spin.rawValue, highlight: .only(Trip.null.rawValue))
    // One process times all of them, one after the other.
    report.notes += try bench.interleave(
      ChannelBenchmark.name, [(subject, ())], [.sluice]
    ) { (_, _) throws(ToolError) in
      let found = try bench.runPeer("channel", nil, ["--count", String(count)])
      for trip in Trip.allCases {
        report.add(try found.samples(trip.rawValue), of: trip.rawValue, to: subject)
      }
    }
    return report
  }
}

// MARK: The measured process

extension ChannelBenchmark {
  static func peer(_ options: inout Options) throws(ToolError) -> PeerReport {
    let count = try BenchPeer.parse { () throws(CommandError) in
      let count = try options.number("--count", in: 10...10_000_000, or: 1000)
      try options.finish()
      return count
    }
    // The benchmark sets it.
    guard let program = unsafe environmentValue("SLUICE_SIDECAR") else {
      throw .failed("SLUICE_SIDECAR is not set")
    }
    let session: Session
    do throws(ConnectError) {
      session = try unsafe Session.startPrivate(program: zeroTerminated(String(cString: program)))
    } catch {
      throw .failed("\(error.text)")
    }
    let file: RemoteFile
    do throws(CallError) {
      file = try session.openChannel().open(
        OpenRequest(
          path: nil, kind: .temporary, options: [.readWrite, .create, .deleteOnClose]))
    } catch {
      throw .failed("\(error.text)")
    }
    BenchPeer.awaitStart()
    var report = PeerReport()
    for trip in Trip.allCases { report.add(trip.rawValue, try measure(trip, file, count)) }
    return report
  }

  private static func measure(
    _ trip: Trip, _ file: RemoteFile, _ count: Int
  ) throws(ToolError) -> Samples {
    switch trip {
    case .spin: return try pingPong(.spin, count)
    // This is some hundred times slower.
    case .futex: return try pingPong(.futex, max(10, count / 20))
    case .null, .read, .write: break
    }
    do throws(CallError) {
      if trip != .null { return try transfer(trip, file, count) }
      return try time(count) { () throws(CallError) in try file.channel.roundTrip() }
    } catch {
      throw .failed("\(trip.rawValue): \(error.text)")
    }
  }

  private static func pingPong(
    _ kind: PingPong, _ count: Int
  ) throws(ToolError) -> Samples {
    do throws(Errno) {
      return try kind.measure(count: count)
    } catch {
      throw .system("\(kind.rawValue) ping-pong", error)
    }
  }

  /// Walks over 1 MiB of the file, page by page: cached, but not all in the first-level cache.
  private static func transfer(
    _ trip: Trip, _ file: RemoteFile, _ count: Int
  ) throws(CallError) -> Samples {
    let page = UnsafeMutableRawBufferPointer.allocate(byteCount: 4096, alignment: 4096)
    defer { unsafe page.deallocate() }
    unsafe page.initializeMemory(as: UInt8.self, repeating: 0x5a)
    for index in 0..<256 {
      try unsafe file.write(UnsafeRawBufferPointer(page), at: Int64(index) * 4096)
    }
    var index: Int64 = 0
    return try time(count) { () throws(CallError) in
      index = (index + 97) % 256
      if trip == .read {
        _ = try unsafe file.read(into: page, at: index * 4096)
      } else {
        try unsafe file.write(UnsafeRawBufferPointer(page), at: index * 4096)
      }
    }
  }

  private static func time(
    _ count: Int, _ body: () throws(CallError) -> Void
  ) throws(CallError) -> Samples {
    var samples = Samples(capacity: count)
    for _ in 0..<count / 10 { try body() }
    for _ in 0..<count {
      let start = Clock.monotonicNanoseconds()
      try body()
      samples.append(Clock.monotonicNanoseconds() - start)
    }
    return samples
  }
}
