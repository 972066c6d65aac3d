// `import SluiceRecords` brings all that its calls take, return and throw: the messages and the modes
// of opening (SluiceWire), and the errors of a session (SluiceClient).

@_exported public import enum SluiceClient.CallError
@_exported public import enum SluiceClient.ConnectError
@_exported public import class SluiceClient.RingSession
@_exported public import struct SluiceWire.RecordCounter
@_exported public import enum SluiceWire.RecordDurability
@_exported public import struct SluiceWire.RecordMessage
@_exported public import struct SluiceWire.RecordSessionContent
@_exported public import struct SluiceWire.RecordTransactions
@_exported public import enum SluiceWire.RecordsErasureAction
@_exported public import enum SluiceWire.RecordsImportAction
@_exported public import enum SluiceWire.RecordsLockAction
@_exported public import enum SluiceWire.RecordsLockOutcome
@_exported public import enum SluiceWire.SQLOpenMode
