// `import SluiceDocuments` brings all that its calls take, return and throw: hashes and documents of
// Automerge, and the errors of a session.

@_exported public import struct SluiceAutomerge.ActorID
@_exported public import struct SluiceAutomerge.AutomergeError
@_exported public import struct SluiceAutomerge.Change
@_exported public import struct SluiceAutomerge.ChangeHash
@_exported public import struct SluiceAutomerge.Document
@_exported public import struct SluiceAutomerge.Edit
@_exported public import enum SluiceClient.CallError
@_exported public import enum SluiceClient.ConnectError
@_exported public import class SluiceClient.RingSession
@_exported public import enum SluiceWire.Status
