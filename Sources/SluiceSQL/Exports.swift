// `import SluiceSQL` brings all that its calls take, return and throw: the modes of opening and the
// cells (SluiceWire), and the errors of a session (SluiceClient).

@_exported public import enum SluiceClient.CallError
@_exported public import enum SluiceClient.ConnectError
@_exported public import class SluiceClient.RingSession
@_exported public import enum SluiceWire.SQLCell
@_exported public import enum SluiceWire.SQLOpenMode
@_exported public import struct SluiceWire.SQLOpenOptions
