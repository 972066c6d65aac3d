// What a descriptor that travels on the socket is for.

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
