// sluice bench channel: what a round trip costs, beside what it could cost at best.

internal import SluiceClient
internal import SluiceSystem
internal import SluiceWire

struct ChannelBenchmark {
  let rounds: Int
  let count: Int

  private enum Subject: String, CaseIterable {
    case spin = "bare spin ping-pong"
    case futex = "futex ping-pong"
    case null = "null operation"
    case read = "read 4 KiB"
    case write = "write 4 KiB"
  }

  /// This program, for the private sidecar and the peers.
  private let program = zeroTerminated("/proc/self/exe")

  func run(showsProgress: Bool) throws(CommandError) -> BenchmarkReport {
    let session: Session
    do throws(ConnectError) {
      session = try unsafe Session.startPrivate(program: program)
    } catch {
      throw .failed("bench: \(error.text)")
    }
    return try measure(session, showsProgress: showsProgress)
  }

  private func measure(
    _ session: Session, showsProgress: Bool
  ) throws(CommandError) -> BenchmarkReport {
    let file: RemoteFile
    do throws(CallError) {
      let channel = try session.openChannel()
      file = try channel.open(
        OpenRequest(
          path: nil, kind: .temporary, options: [.readWrite, .create, .deleteOnClose]))
    } catch {
      throw .failed("bench: \(error.text)")
    }
    var rounds: [Subject: [Samples]] = [:]
    for round in 1...self.rounds {
      if showsProgress { printError("round \(round) of \(self.rounds)") }
      for subject in Subject.allCases {
        rounds[subject, default: []].append(try measure(subject, file))
      }
    }
    return report(rounds)
  }

  private func measure(_ subject: Subject, _ file: RemoteFile) throws(CommandError) -> Samples {
    switch subject {
    case .spin: return try pingPong(.spin, count)
    case .futex: return try pingPong(.futex, count / 20)
    case .null, .read, .write: break
    }
    do throws(CallError) {
      if subject != .null { return try transfer(subject, file) }
      return try time { () throws(CallError) in try file.channel.roundTrip() }
    } catch {
      throw .failed("bench: \(subject.rawValue): \(error.text)")
    }
  }

  private func pingPong(_ kind: PingPong, _ count: Int) throws(CommandError) -> Samples {
    do throws(Errno) {
      return try kind.measure(count: count, program: program)
    } catch {
      throw .failed("bench: \(kind.rawValue) ping-pong: \(unsafe String(cString: error.text))")
    }
  }

  /// Walks over 1 MiB of the file, page by page: cached, but not all in the first-level cache.
  private func transfer(_ subject: Subject, _ file: RemoteFile) throws(CallError) -> Samples {
    let page = UnsafeMutableRawBufferPointer.allocate(byteCount: 4096, alignment: 4096)
    defer { unsafe page.deallocate() }
    unsafe page.initializeMemory(as: UInt8.self, repeating: 0x5a)
    for index in 0..<256 {
      try unsafe file.write(UnsafeRawBufferPointer(page), at: Int64(index) * 4096)
    }
    var index: Int64 = 0
    return try time { () throws(CallError) in
      index = (index + 97) % 256
      if subject == .read {
        _ = try unsafe file.read(into: page, at: index * 4096)
      } else {
        try unsafe file.write(UnsafeRawBufferPointer(page), at: index * 4096)
      }
    }
  }

  private func time(_ body: () throws(CallError) -> Void) throws(CallError) -> Samples {
    var samples = Samples(capacity: count)
    for _ in 0..<count / 10 { try body() }
    for _ in 0..<count {
      let start = Clock.monotonicNanoseconds()
      try body()
      samples.append(Clock.monotonicNanoseconds() - start)
    }
    return samples
  }

  private func report(_ rounds: [Subject: [Samples]]) -> BenchmarkReport {
    var report = BenchmarkReport(title: "channel", rounds: self.rounds)
    for subject in Subject.allCases {
      let samples = rounds[subject]!
      report.rows.append(
        .init(
          name: subject.rawValue, p50: median(samples.map { $0.percentile(0.5) }),
          p99: median(samples.map { $0.percentile(0.99) }),
          samples: samples.reduce(0) { $0 + $1.nanoseconds.count }))
    }
    for subject in [Subject.null, .read, .write] {
      report.ratios.append(
        .init(
          name: "\(subject.rawValue) / \(Subject.spin.rawValue)",
          values: zip(rounds[subject]!, rounds[.spin]!).map {
            Double($0.percentile(0.5)) / Double($1.percentile(0.5))
          }))
    }
    return report
  }
}
