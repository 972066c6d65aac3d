// A shared library that a tool loads at run time: tools start, and show their help, where there is
// none. It is never unloaded.

internal import CSluice

@safe
package struct DynamicLibrary {
  private let handle: UnsafeMutableRawPointer
  private let name: String
  /// What the names of all its functions begin with.
  private let prefix: String

  /// `advice` tells what to do where there is no such library.
  package init(_ name: String, prefix: String, advice: String) throws(ToolError) {
    guard let handle = unsafe dlopen(name, RTLD_NOW) else {
      let reason = unsafe dlerror().map { unsafe String(cString: $0) } ?? "no reason given"
      throw .failed("\(name): cannot be loaded: \(reason); \(advice)")
    }
    unsafe self.handle = unsafe handle
    self.name = name
    self.prefix = prefix
  }

  /// The function of this name. It must have the type `Function`, a C function.
  package func function<Function>(_ function: String) throws(ToolError) -> Function {
    guard let address = unsafe dlsym(handle, prefix + function) else {
      throw .failed("\(name) has no \(prefix)\(function); a newer one is needed")
    }
    return unsafe unsafeBitCast(address, to: Function.self)
  }
}
