// The release that this program belongs to, and the protocol that it speaks.

internal import CSluice

package let sluiceVersion = SLUICE_VERSION
package let protocolVersionNumber = UInt32(SLUICE_PROTOCOL_VERSION)
