// `import SluiceClient` brings all that its calls take, return and throw: the protocol's messages
// (SluiceWire), and from the targets between only the types of its errors.

@_exported public import enum SluiceChannel.ChannelFailure
@_exported public import struct SluiceSystem.Errno
@_exported public import SluiceWire
