// What a descriptor that travels on the socket is for.

internal import CSluice

public enum DescriptorPurpose: Sendable {
  case walIndex, content

  public var rawValue: UInt32 {
    switch self {
    case .walIndex: SLUICE_DESCRIPTOR_WAL_INDEX
    case .content: SLUICE_DESCRIPTOR_CONTENT
    }
  }
}
