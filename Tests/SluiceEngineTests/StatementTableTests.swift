// The table of compiled statements, against a simple model; and how a path becomes a name.

import CEngine
import Foundation
import Testing

@testable import SluiceEngine

@Suite struct StatementTableTests {
  @Test func randomUseIsAsTheModelSays() throws {
    let seed = UInt64.random(in: 0 ... .max)
    var random = Xorshift(seed)
    var handle: OpaquePointer?
    unsafe sqlite3_open(":memory:", &handle)
    let connection = unsafe handle
    defer { unsafe sqlite3_close(connection) }

    struct Known {
      var id: UInt64
      var text: Int
      var isUnderWay: Bool
      var lastUse: Int
    }
    var table = StatementTable()
    var model: [Known] = []
    var lastID: UInt64 = 0
    // Rows without an end, so that a statement under way stays so.
    func text(_ number: Int) -> [UInt8] {
      Array(
        "WITH RECURSIVE n(i) AS (SELECT \(number) UNION ALL SELECT i+1 FROM n) SELECT i FROM n".utf8
      )
    }
    for step in 0..<20_000 {
      let number = Int(random.below(400))
      let known = model.indices.filter { model[$0].text == number && !model[$0].isUnderWay }
      switch random.below(10) {
      case 0..<6:
        if let statement = table.idleStatement(text(number)) {
          #expect(known.contains { model[$0].id == statement.id }, "seed \(seed)")
          model[model.firstIndex { $0.id == statement.id }!].lastUse = step
          break
        }
        #expect(known.isEmpty, "seed \(seed)")
        if model.count == Limits.statementCountMaximum {
          let oldest = model.filter { !$0.isUnderWay }.min { $0.lastUse < $1.lastUse }!
          model.removeAll { $0.id == oldest.id }
        }
        var compiled: OpaquePointer?
        let sql = text(number) + [0]
        unsafe sql.withUnsafeBufferPointer { sql in
          _ = unsafe sql.withMemoryRebound(to: CChar.self) {
            unsafe sqlite3_prepare_v2(connection, $0.baseAddress, -1, &compiled, nil)
          }
        }
        let statement = unsafe table.add(
          text(number), CompiledStatement(handle: compiled, tail: 0, effects: StatementEffects()))
        #expect(statement.id > lastID, "an id was used again; seed \(seed)")
        lastID = statement.id
        model.append(
          Known(id: statement.id, text: number, isUnderWay: false, lastUse: step))
      case 6..<8:
        guard let index = model.indices.randomElement(), model.filter(\.isUnderWay).count < 64
        else { break }
        guard let statement = table.statement(model[index].id) else {
          Issue.record("statement \(model[index].id) is not there; seed \(seed)")
          return
        }
        model[index].lastUse = step
        if statement.state == .idle, case .row = statement.begin() {
          model[index].isUnderWay = true
        }
      case 8:
        guard let index = model.indices.randomElement() else { break }
        table.statement(model[index].id)?.reset()
        model[index].lastUse = step
        model[index].isUnderWay = false
      default:
        let id = random.below(lastID + 10)
        let isKnown = model.contains { $0.id == id }
        #expect((table.statement(id) != nil) == isKnown, "seed \(seed)")
        if let index = model.firstIndex(where: { $0.id == id }) { model[index].lastUse = step }
      }
      #expect(table.count == model.count, "seed \(seed)")
      #expect(table.cursorCount == model.filter(\.isUnderWay).count, "seed \(seed)")
    }
    table = StatementTable()
  }

  @Test func aPathIsANameAndNothingElse() throws {
    let place = DatabasePlace.sidecar(socket: "/run/a b?c&d=e")
    let socket = "socket=/run/a%20b%3Fc%26d%3De"
    for (path, name) in [
      ("app.db", "file:/app.db?"), ("/a/b.db", "file:/a/b.db?"),
      ("a?vfs=unix", "file:/a%3Fvfs%3Dunix?"),
      ("a#b%c", "file:/a%23b%25c?"), ("ü", "file:/%C3%BC?"),
      ("a&mode=memory", "file:/a%26mode%3Dmemory?"),
      ("//host/x", "file://host/x?"),
    ] {
      #expect(
        try String(decoding: place.uri(of: Array(path.utf8)), as: UTF8.self) == name + socket)
    }
    #expect(try DatabasePlace.host.uri(of: [0xff]) == Array("file:%FF".utf8))
    #expect(try DatabasePlace.sidecar(socket: nil).uri(of: [65]) == Array("file:A".utf8))
  }

  @Test func aPathBeneathADirectoryStaysThere() throws {
    let place = DatabasePlace.beneath("/srv/data")
    for path in ["a.db", "/a.db", "//a.db", "./a.db"] {
      let uri = String(decoding: try place.uri(of: Array(path.utf8)), as: UTF8.self)
      #expect(uri == "file:/srv/data/" + (path == "./a.db" ? "./a.db" : "a.db"))
    }
    for path in ["", "/", "..", "../a.db", "a/../../b.db", "a\0b"] {
      #expect(throws: DatabaseError.self) { try place.uri(of: Array(path.utf8)) }
    }
  }

  @Test func anyBytesAreOneFileOfThatName() throws {
    let directory = FileManager.default.temporaryDirectory.path + "/sluice-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: directory) }
    for name in ["a?mode=memory", "a&b", "%41", "x;y", "ä ö", "a#b", "q=1?cache=shared&vfs=none"] {
      _ = try RawSQLSession(opening: directory + "/" + name, mode: .create)
      #expect(FileManager.default.fileExists(atPath: directory + "/" + name), "\(name)")
    }
  }
}
