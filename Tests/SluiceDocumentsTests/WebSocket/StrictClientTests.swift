// The server with another implementation as its client: Python's websockets, which fails on whatever
// breaks the protocol.

import Foundation
import SluiceSystem
import Testing
import TestSupport

@testable import SluiceEngine

@Suite struct StrictClientTests {
  static let isThere = FileManager.default.fileExists(
    atPath: "/usr/lib/python3/dist-packages/websockets/__init__.py")

  private static let program = """
    import asyncio, sys, websockets
    base = "ws://127.0.0.1:" + sys.argv[1]
    url = base + "/api/storage/new/v2/did%3Akey%3Atest/ws"

    async def echo(ws, message):
        await ws.send(message)
        assert await ws.recv() == message, len(message)

    async def messages():
        async with websockets.connect(url, max_size=None) as ws:
            assert ws.subprotocol is None and not ws.extensions
            for count in (0, 1, 125, 126, 127, 65535, 65536, 1 << 20):
                await echo(ws, "é" * count)
                await echo(ws, bytes([254]) * count)
            await asyncio.wait_for(await ws.ping(b"abc"), 20)
            await ws.send(iter(["a", "", "é", "c"]))
            assert await ws.recv() == "aéc"
            await ws.close(4321, "done")
            assert ws.close_code == 4321, ws.close_code

    async def fails(status, *words, **options):
        try:
            await websockets.connect(*words, **options)
        except websockets.InvalidStatusCode as failure:
            assert failure.status_code == status, failure
        else:
            raise AssertionError("connected")

    async def refusals():
        await fails(404, base + "/other")
        await fails(403, url, origin="https://evil.example")
        await fails(401, url + "?token=wrong")
        async with websockets.connect(url) as ws:
            await ws.send("x" * ((16 << 20) + 1))
            try:
                await ws.recv()
            except websockets.ConnectionClosedError as failure:
                assert failure.rcvd.code == 1009, failure
            else:
                raise AssertionError("taken")

    async def crowd():
        async def one(number):
            async with websockets.connect(url) as ws:
                for turn in range(20):
                    await echo(ws, f"{number} {turn}")
        await asyncio.gather(*(one(number) for number in range(50)))

    async def main():
        await messages()
        await refusals()
        await crowd()
        # The server ends while this client waits.
        async with websockets.connect(url) as ws:
            await ws.send("end")
            assert await ws.recv() == "end"
            try:
                await ws.recv()
            except websockets.ConnectionClosedOK as failure:
                assert failure.rcvd.code == 1001, failure
            else:
                raise AssertionError("a message")

    asyncio.run(asyncio.wait_for(main(), 60))
    """

  @Test(.enabled(if: isThere, "python3-websockets is missing"))
  func aStrictClientFindsNothing() throws {
    let server = try EchoServer()
    let output = FileManager.default.temporaryDirectory.appending(path: "ws-\(UUID().uuidString)")
    defer {
      try? FileManager.default.removeItem(atPath: output.path)
      try? FileManager.default.removeItem(atPath: output.path + "-errors")
    }
    let process = try spawnProgram(
      ["/usr/bin/python3", "-c", Self.program, "\(server.server.port)"], output: output.path)
    var status: Int32 = -1
    var isEndTold = false
    let deadline = Clock.monotonicNanoseconds() + 90_000_000_000
    while unsafe waitpid(process, &status, WNOHANG) == 0 {
      if !isEndTold, server.handler.notes.withLock({ $0.messages.last == .text("end") }) {
        isEndTold = true
        server.server.stop()
      }
      if Clock.monotonicNanoseconds() > deadline { kill(process, SIGKILL) }
      Clock.sleep(nanoseconds: 10_000_000)
    }
    let errors = try String(contentsOfFile: output.path + "-errors", encoding: .utf8)
    #expect(status == 0, "\(errors)")
    #expect(server.awaits { $0.ends.count == $0.sessions.count })
  }
}
