// The list of all fuzz targets, and a target by its name.

let allTargets: [any FuzzTarget.Type] = [
  SerializerTarget.self, HandshakeTarget.self, SlotTarget.self, AnswerTarget.self,
  StandingLockTarget.self, WindowTarget.self, WALTarget.self, PathTarget.self, SessionTarget.self,
  SQLTarget.self, PageTarget.self, PluginTarget.self, JSONTarget.self, RecordsTarget.self,
  DocumentsTarget.self,
  TransactionTarget.self, AutomergeChunkTarget.self, AutomergeChangeTarget.self, TokenTarget.self,
  FramesTarget.self, QueryTarget.self, CanaryTarget.self,
]

struct UnknownTarget: Error, CustomStringConvertible {
  let name: String
  var description: String {
    let known = allTargets.map { $0.name }.joined(separator: " ")
    return "target \(name.isEmpty ? "missing" : name): want one of \(known)"
  }
}

func target(named name: String) throws -> any FuzzTarget.Type {
  guard let target = allTargets.first(where: { $0.name == name }) else {
    throw UnknownTarget(name: name)
  }
  return target
}
