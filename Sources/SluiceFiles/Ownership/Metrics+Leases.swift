// How a sidecar counts its leases in public.

internal import CSluice
internal import SluiceServer

extension Metrics {
  func leaseTaken() { add(to: \.leases_taken) }
  func leaseBroken() { add(to: \.leases_broken) }
}
