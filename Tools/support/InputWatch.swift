// The end of a process that a tool started, by the end of the tool, however that ends.

internal import CSluice
internal import SluiceSystem

/// From now on this process ends when its standard input does.
package func endWithInput() {
  _ = try? Thread("tool-input") {
    var byte: UInt8 = 0
    while unsafe read(0, &byte, 1) > 0 {}
    _exit(0)
  }
}
