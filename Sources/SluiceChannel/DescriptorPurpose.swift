// The purposes of the descriptors that travel on the socket.

internal import CSluice

public enum DescriptorPurpose: Sendable {
  case walIndex, window

  public var rawValue: UInt32 {
    switch self {
    case .walIndex: SLUICE_DESCRIPTOR_WAL_INDEX
    case .window: SLUICE_DESCRIPTOR_WINDOW
    }
  }
}
