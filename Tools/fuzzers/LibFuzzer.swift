// The bridge to libFuzzer: hands the process over to it, and calls a target for each of its inputs.

import Foundation

@_silgen_name("LLVMFuzzerRunDriver")
private func runDriver(
  _ count: UnsafeMutablePointer<CInt>,
  _ words: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?>,
  _ runOne: @convention(c) (UnsafePointer<UInt8>?, Int) -> CInt
) -> CInt

/// libFuzzer's own main needs this function. It is not used.
@_cdecl("LLVMFuzzerTestOneInput")
public func runNothing(_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> CInt { 0 }

private nonisolated(unsafe) var present: (any FuzzTarget)?

/// Hands the process to libFuzzer, which ends it.
func run(_ target: any FuzzTarget.Type) -> Never {
  do { unsafe present = try target.init() } catch { fail("\(target.name): \(error)", code: 1) }
  // The driver may replace these words by others.
  var words = unsafe CommandLine.arguments.enumerated().filter { $0.offset != 1 }
    .map { unsafe strdup($0.element) }
  unsafe words.append(nil)
  var count = unsafe CInt(words.count - 1)
  let code = unsafe words.withUnsafeMutableBufferPointer { buffer in
    var start = buffer.baseAddress
    return unsafe runDriver(&count, &start) { (bytes, count) in
      unsafe present!.run(Array(UnsafeBufferPointer(start: bytes, count: count)))
      return 0
    }
  }
  exit(code)
}

/// Ends the program with a message.
func fail(_ text: String, code: Int32) -> Never {
  FileHandle.standardError.write(Data("fuzzers: \(text)\n".utf8))
  exit(code)
}
