// The proxy's end of a channel whose client writes anything anywhere: before the proxy takes a
// request, before it reads the arguments, and before it answers.

import CSluice
import SluiceSystem
import SluiceWire

@testable import SluiceChannel

struct SlotTarget: FuzzTarget {
  static let name = "slots"

  private let regions: RawRegions

  init() throws { regions = try RawRegions(RawRegions.smallShape) }

  /// Each request of the vectors, posted, taken and answered.
  static func seeds(from vectors: SeedVectors) -> [[UInt8]] {
    vectors.requests.filter { $0.arguments.count <= 255 }.map { request in
      let code = UInt8(SluiceWire.Operation.allCases.firstIndex(of: request.operation)!)
      return [0, 4, code, 1, 0, 0, 0, UInt8(request.arguments.count)] + request.arguments + [
        3, 0, 0,
      ]
    }
  }

  func run(_ input: [UInt8]) {
    regions.clear()
    let end = ProxyEnd(regions.attach())
    var input = FuzzInput(input)
    /// The numbers of the last request posted and of the last answered.
    var posted: UInt32 = 0
    var answered: UInt32 = 0
    for _ in 0..<64 where !input.isEmpty {
      switch input.choice(6) {
      case 0, 1:
        posted &+= 1
        post(&input, number: posted)
      case 2: corrupt(&input)
      case 3, 4:
        do throws(ProtocolViolation) {
          guard let request = try end.nextRequest() else { continue }
          try serve(request, end, &input, number: answered &+ 1)
          answered &+= 1
        } catch {
          // The session would end here.
          return
        }
      default:
        if input.flag() { end.announceSleep() } else { end.endSleep() }
        _ = end.hasRequest
      }
    }
  }

  private func post(_ input: inout FuzzInput, number: UInt32) {
    var slot = sluice_slot()
    let operations = SluiceWire.Operation.allCases
    slot.operation =
      input.choice(8) == 0
      ? input.number() : operations[input.choice(operations.count)].rawValue
    slot.file = UInt64(input.byte())
    slot.payload_offset = input.size(regions.shape.payloadByteCount)
    slot.payload_byte_count = input.size(ChannelShape.transferByteCountMaximum)
    regions.post(slot, number: number, arguments: input.sequence())
  }

  private func corrupt(_ input: inout FuzzInput) {
    let offset = Int(input.number(UInt16.self))
    let bytes = input.sequence()
    if input.flag() {
      regions.write(bytes, control: offset)
    } else {
      regions.write(bytes, io: offset)
    }
  }

  private func serve(
    _ request: Request, _ proxy: ProxyEnd, _ input: inout FuzzInput, number: UInt32
  ) throws(ProtocolViolation) {
    let taken = regions.slot(of: number)
    require(request.file == taken.file, "the request is that of the slot")
    let end = Int(taken.payload_offset) + Int(taken.payload_byte_count)
    require(end <= regions.shape.payloadByteCount, "a payload up to \(end) leaves the ring")
    require(unsafe request.payload.count == Int(taken.payload_byte_count), "the payload's length")
    require(request.operation?.rawValue ?? taken.operation == taken.operation, "and its operation")
    // The client might write at this moment.
    if input.flag() { corrupt(&input) }
    unsafe touch(request.payload)
    let form = request.operation?.request ?? MessageForm(NoFields.self)
    try form.take(proxy, request)
    unsafe touch(request.payload)
    answer(request, proxy, &input, number: number)
  }

  /// All payload is in the ring. An access beyond the mapping would be a fault.
  private func touch(_ payload: UnsafeMutableRawBufferPointer) {
    guard let last = payload.indices.last else { return }
    require(
      payload.count <= ChannelShape.transferByteCountMaximum, "a payload is one transfer")
    unsafe payload[0] ^= 1
    unsafe payload[last] ^= 1
  }

  private func answer(
    _ request: Request, _ end: ProxyEnd, _ input: inout FuzzInput, number: UInt32
  ) {
    if input.flag() {
      let byteCount = unsafe request.payload.count
      end.complete(.doneShort, sentByteCount: byteCount)
      require(regions.slot(of: number).argument_byte_count == 0, "no results, no arguments")
    } else {
      // The largest do not fit into the area.
      let path = [UInt8](repeating: 0x61, count: Int(input.number(UInt16.self)) % 1200)
      end.complete(.done, PathFields(path: path))
      let fits = path.count + 6 <= regions.shape.argumentAreaByteCount
      let status: Status = fits ? .done : .systemError
      require(regions.slot(of: number).return_code == status.rawValue, "the answer's status")
      let written: [UInt8] = fits ? regions.arguments(of: number) : []
      require(!fits || written.suffix(path.count).elementsEqual(path), "the answer's results")
    }
  }
}
