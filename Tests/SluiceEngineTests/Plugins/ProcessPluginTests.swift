// Plugins in libraries: good ones, and those that do what they may not.

import Foundation
import Glibc
import SluiceSystem
import TestSupport
import Testing

@testable import SluiceEngine

@Suite(.timeLimit(.minutes(3))) struct ProcessPluginTests {
  private let libraries: PluginLibraries

  init() throws { libraries = try PluginLibraries() }

  /// What a call with this body fails with.
  private func failure(
    detect: String, head: String = "", seconds: Int = 20
  ) throws -> String {
    let desk = try libraries.desk(detect: detect, head: head, seconds: seconds)
    return message { _ = try desk.detect(utf8("x")) }
  }

  // MARK: Good ones

  @Test func theExampleFollowsINIFiles() throws {
    let library = try libraries.compile(repositoryFile("Tools/plugin/ini.c"), as: "ini")
    let set = try libraries.load(library)
    #expect(set.matching(path: "/etc/a.ini").map(\.key) == ["ini", "lines"])
    let desk = PluginDesk(try #require(set.plugin(named: "ini")))
    let file =
      "; for \"all\"\nname = x\n\n[server]\r\nport=80\r\nport = 81\nempty =\n [b] \nüö = ä\tb"
    try desk.write(utf8(file))
    #expect(text(try desk.read()) == file)
    #expect(
      desk.content("server.port")
        == #"{"order":5,"before":"port=","value":"80","after":"\u000d\u000a"}"#)
    #expect(try desk.write(utf8(file)) == [])
    let changes = try desk.write(utf8(file.replacing("=80", with: "=8080")))
    #expect(changes.map(\.entityID) == ["server.port"])
    desk.put(
      PluginEntity(
        entityID: "server.port", schemaKey: "ini_piece", schemaVersion: "1.0",
        content: #"{"order":5,"before":"port=","value":"\"9\"","after":"\n"}"#))
    #expect(text(try desk.read()) == file.replacing("=80\r\n", with: "=\"9\"\n"))
    try desk.write([])
    #expect(desk.entities == [])
    #expect(
      message { try desk.write([0]) } == "plugin ini: the file has a zero byte; it is no INI file")
    var random = SeededRandom(for: "theExampleFollowsINIFiles")
    for _ in 0..<40 {
      let pieces = [
        "[s]\n", "a = 1\n", "b=\"2\" \n", "# c\n", "\n", "=\n", "[", "]\r\n", "a==\\\n",
      ]
      let file = (0..<12).map { _ in pieces.randomElement(using: &random)! }.joined()
      try desk.write(utf8(file))
      #expect(text(try desk.read()) == file)
    }
  }

  @Test func aCallGetsAllThatItIsToldOf() throws {
    let desk = try libraries.desk(
      detect: """
        char text[1000];
        const struct sluice_plugin_entity *list;
        size_t count = host->entities(host, &list), columns;
        const char *const *values;
        const char *arguments[] = {"one", "", "ü"};
        size_t rows = host->query(host, "SELECT x", arguments, 3, &values, &columns);
        snprintf(text, sizeof text,
                 "{\\"v\\":\\"%s %s %s %d %zu %zu before %zu entities %zu %s rows %zu %zu %s %s\\"}",
                 after->id, after->path, after->metadata ? after->metadata : "none", after->is_hidden,
                 after->byte_count, strlen((const char *)after->data),
                 before ? before->byte_count : 99, count, count ? list[0].id : "", rows, columns,
                 values[0], values[3] ? values[3] : "null");
        emit(host, "told", text);
        """,
      apply: """
        for (int i = 0; i < 3; i++) host->write(host, "a\\0b", 3);
        for (size_t i = 0; i < count; i++) host->write(host, entities[i].id, strlen(entities[i].id));
        """)
    desk.rows = [["1", "2"], ["ä", nil]]
    try desk.write([0x61, 0, 0x62])
    #expect(
      desk.content("told")
        == #"{"v":"f1 /dir/file none 0 3 1 before 99 entities 0  rows 2 2 1 null"}"#)
    #expect(desk.queries == ["SELECT x|one||ü"])
    #expect(try desk.read() == utf8("a\0ba\0ba\0btold"))
    try desk.write([])
    #expect(desk.content("told")?.contains("before 13 entities 1 told") == true)
  }

  @Test func bigFilesAndManyEntitiesGoThrough() throws {
    let desk = try libraries.desk(
      detect: """
        for (int i = 0; i < 50000; i++) {
          char id[20];
          sprintf(id, "%d", i);
          emit(host, id, "{}");
        }
        """,
      apply:
        "for (int i = 0; i < 30; i++) { static char part[1 << 20]; host->write(host, part, sizeof part); }"
    )
    #expect(try desk.write([UInt8](repeating: 7, count: 20 << 20)).count == 50_000)
    #expect(try desk.read().count == 30 << 20)
  }

  @Test func nothingIsLeftForTheNextCall() throws {
    let desk = try libraries.desk(
      detect:
        "count++; char text[40]; sprintf(text, \"{\\\"count\\\":%d}\", count); emit(host, \"n\", text);",
      head: "static int count;")
    for _ in 0..<5 { #expect(try desk.detect([]).first?.content == #"{"count":1}"#) }
  }

  @Test func callsOfManyThreadsDoNotMix() throws {
    let set = try libraries.load(
      libraries.make(
        detect:
          "char text[40]; sprintf(text, \"{\\\"n\\\":%zu}\", after->byte_count); emit(host, \"n\", text);"
      ))
    let plugin = try #require(set.matching(path: "/a.t").first)
    let failures = Flag()
    let threads = try (0..<8).map { number in
      try onThread {
        for round in 0..<25 {
          let count = number * 1000 + round
          let found = try? PluginDesk(plugin).detect([UInt8](repeating: 1, count: count))
          if found?.first?.content != "{\"n\":\(count)}" { failures.set() }
        }
      }
    }
    for thread in threads { thread.join() }
    #expect(!failures.isSet)
  }

  // MARK: Those that fail

  @Test func aReasonIsTold() throws {
    #expect(
      try failure(detect: "emit(host, \"a\", \"{}\"); host->fail(host, \"no ä\");")
        == "plugin test: no ä")
    #expect(try failure(detect: "host->fail(host, NULL);").contains("no reason"))
    #expect(try failure(detect: "host->fail(host, \"\\xff\");").contains("no reason"))
  }

  @Test func aCrashFailsItsCallAlone() throws {
    let desk = try libraries.desk(
      detect: """
        if (after->byte_count == 1) *(volatile int *)1 = 1;
        if (after->byte_count == 2) abort();
        if (after->byte_count == 3) exit(0);
        if (after->byte_count == 4) for (volatile char *p = (char *)&p; ; p -= 512) *p = 1;
        void *volatile more = NULL;
        if (after->byte_count == 5) do more = malloc(1 << 20); while (more);
        if (after->byte_count == 5) abort();
        emit(host, "a", "{}");
        """)
    func crash(_ count: Int) -> String {
      message { _ = try desk.detect([UInt8](repeating: 0x61, count: count)) }
    }
    #expect(crash(1).hasPrefix("plugin test crashed (signal 11)"))
    #expect(crash(2).hasPrefix("plugin test crashed (signal 6)"))
    #expect(crash(3).contains("ended in the middle of a call"))
    #expect(crash(4).hasPrefix("plugin test crashed (signal 11)"))
    #expect(crash(5).hasPrefix("plugin test crashed (signal"))
    #expect(try desk.detect([]).count == 1)
  }

  @Test func aLoopEndsAtTheDeadline() throws {
    let stopped = "plugin test: it did not end in time and was stopped"
    #expect(try failure(detect: "while (1) {}", seconds: 1).hasPrefix(stopped))
    // One that sends without end, and one that takes nothing.
    #expect(
      try failure(
        detect:
          "while (1) { const struct sluice_plugin_entity *list; host->entities(host, &list); }",
        seconds: 1
      ).hasPrefix(stopped))
    let desk = try libraries.desk(detect: "close(3); while (1) {}", seconds: 20)
    #expect(message { _ = try desk.detect([]) }.hasPrefix("plugin test crashed (signal 9)"))
    // The processes are gone.
    #expect(eventually { children(named: "sluice-plugins", using: 50) == 0 })
  }

  @Test(arguments: ["while (1) {}", "while (1) sleep(1);", "while (1) emit(host, \"a\", \"{}\");"])
  func aCallEndsWhenItsStatementIsToldToStop(_ loop: String) throws {
    let desk = try libraries.desk(
      detect: "if (after->byte_count == 1) { \(loop) } emit(host, \"a\", \"{}\");",
      apply: "while (1) {}")
    let stopped = "interrupted in a call of plugin test"
    for isGone in [false, true] {
      var looks = 0
      func isTime() -> Bool {
        looks += 1
        return looks > 3
      }
      desk.interruption = Interruption(
        isCancelled: { isGone ? false : isTime() }, isClientGone: { isGone ? isTime() : false })
      desk.interruption.begin(deadlineMilliseconds: 0)
      // What the third says twice is refused for that.
      let text = message { _ = try desk.detect([1]) }
      #expect(text == stopped || text.hasSuffix("twice"))
      looks = 0
      #expect(message { _ = try desk.read() } == stopped)
    }
    desk.interruption = Interruption(isCancelled: { false }, isClientGone: { false })
    desk.interruption.begin(deadlineMilliseconds: 50)
    #expect(message { _ = try desk.read() } == stopped)
    desk.interruption.begin(deadlineMilliseconds: 0)
    #expect(try desk.detect([]).count == 1)
  }

  @Test func aKilledNurseryIsReplaced() throws {
    let library = try libraries.make(
      "killed", detect: "while (after->byte_count == 1) sleep(1); emit(host, \"a\", \"{}\");")
    let set = try PluginSet(loading: [library], secondsMaximum: 60)
    let plugin = try #require(set.plugin(named: "killed"))
    for _ in 0..<5 {
      // A call is under way.
      let said = FutexLock("")
      let waiting = try onThread {
        let text = message { _ = try PluginDesk(plugin).detect([1]) }
        said.withLock { $0 = text }
      }
      #expect(eventually { processes(with: library).count == 3 })
      for process in processes(with: library) { kill(process, SIGKILL) }
      waiting.join()
      let text = said.withLock { $0 }
      #expect(
        text.contains("together with the process that had made its own")
          || text.contains("signal 9"),
        "\(text)")
      #expect(try PluginDesk(plugin).detect([]).count == 1)
    }
    // Others read what the library is, and it is another now.
    _ = try libraries.make("killed", detect: "", globs: "\"*.other\"")
    for process in processes(with: library) { kill(process, SIGKILL) }
    #expect(message { _ = try PluginDesk(plugin).detect([]) }.contains("not what they were"))
  }

  /// The processes of that name that have used more than so many ticks of a processor.
  private func children(named name: String, using ticks: Int) -> Int {
    let processes = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
    return processes.count { id in
      guard let stat = try? String(contentsOfFile: "/proc/\(id)/stat", encoding: .utf8),
        stat.contains("(\(name))"), let rest = stat.split(separator: ")").last
      else { return false }
      let fields = rest.split(separator: " ")
      return fields.count > 12 && fields[0] != "Z" && (Int(fields[11]) ?? 0) > ticks
    }
  }

  @Test(arguments: [
    (
      "host->emit(host, &(struct sluice_plugin_entity){\"a\", \"other\", \"1.0\", \"{}\"});",
      "schema"
    ),
    (
      "host->emit(host, &(struct sluice_plugin_entity){\"a\", \"t_piece\", \"2.0\", \"{}\"});",
      "schema"
    ),
    (
      "host->emit(host, &(struct sluice_plugin_entity){NULL, \"t_piece\", \"1.0\", \"{}\"});",
      "without an id"
    ),
    ("emit(host, \"\\xff\", \"{}\");", "not UTF-8"),
    ("emit(host, \"a\", \"\\xc0\\x80\");", "not UTF-8"),
    ("emit(host, \"a\", \"[]\");", "no JSON object"),
    ("emit(host, \"a\", \"{\");", "no JSON object"),
    ("emit(host, \"a\", \"\");", "no JSON object"),
    ("emit(host, \"a\", \"{}x\");", "no JSON object"),
    ("emit(host, \"a\", \"{}\"); emit(host, \"a\", NULL);", "twice"),
    ("char *big = calloc(1, 100000); memset(big, 'a', 5000); emit(host, big, \"{}\");", "4,096"),
    ("host->write(host, \"a\", 1);", "no message"),
    ("write(3, \"garbage garbage garbage\", 23); _exit(0);", "no message"),
    ("int words[] = {1, -1}; write(3, words, 8); while (1) write(3, words, 8);", "no message"),
    (
      "int words[] = {1, 8, -2, 0}; write(3, words, 16); while (1) write(3, words, 16);",
      "without an id"
    ),
    ("int words[] = {6, 8, -2, 0}; write(3, words, 16); _exit(0);", "no message"),
    ("int words[] = {4, 3, 0}; write(3, words, 11); _exit(0);", "no message"),
    ("int words[] = {1, 800}; write(3, words, 8); _exit(0);", "ended in the middle"),
    ("int words[] = {99, 0}; write(3, words, 8); _exit(0);", "no message"),
  ]) func whatIsNoEntityIsRefused(_ body: String, _ reason: String) throws {
    let text = try failure(
      detect: "ssize_t n = 0; (void)n;" + body.replacing("write(3", with: "n = write(3"))
    #expect(text.hasPrefix("plugin test") && text.contains(reason), "\(text)")
  }

  @Test func aFileIsNoBiggerThanAValue() throws {
    let desk = try libraries.desk(
      apply: "while (1) { static char part[1 << 20]; host->write(host, part, sizeof part); }")
    #expect(message { _ = try desk.read() } == "plugin test: it built a file of more than 64 MiB")
    let other = try libraries.desk(apply: "emit(host, \"a\", \"{}\");")
    #expect(message { _ = try other.read() }.contains("no message"))
    let none = try libraries.desk(apply: nil)
    #expect(!none.plugin.canBuild)
    #expect(message { _ = try none.read() }.contains("builds no files"))
  }

  @Test func aRefusedQueryFailsTheCall() throws {
    let query = """
      const char *const *values; size_t columns;
      host->query(host, SQL, NULL, 0, &values, &columns);
      emit(host, "a", "{}");
      """
    #expect(
      try failure(detect: query, head: "#define SQL \"DELETE FROM state\"")
        == "a plugin's query may not write")
    #expect(try failure(detect: query, head: "#define SQL \"SELECT 1\"") == "(no error)")
    #expect(
      try failure(detect: query, head: "#define SQL NULL").contains("no message"))
  }

  @Test func aCallHasNoFilesSocketsOrProcesses() throws {
    let path = libraries.directory.appending(path: "secret").path
    try "secret".write(toFile: path, atomically: true, encoding: .utf8)
    let attempts = [
      "open(PATH, O_RDONLY)", "open(\"/dev/null\", O_RDWR)", "unlink(PATH)", "chdir(\"/\")",
      "open(PATH \"-new\", O_CREAT | O_WRONLY, 0600)", "socket(AF_INET, SOCK_STREAM, 0)",
      "socket(AF_UNIX, SOCK_STREAM, 0)", "fork()", "execl(\"/bin/true\", \"true\", NULL)",
      "kill(getppid(), SIGKILL)", "kill(-1, SIGTERM)", "dup(3)", "memfd_create(\"x\", 0)",
      "(long)mmap(NULL, 4096, PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)",
    ].map { "TRY(\($0));" }.joined(separator: "\n")
    let body =
      attempts + """

        pthread_t thread;
        if (pthread_create(&thread, NULL, run, NULL) == 0) host->fail(host, "a thread");
        char byte;
        if (read(0, &byte, 1) != 0) host->fail(host, "standard input");
        for (int fd = 4; fd < 1000; fd++)
          if (lseek(fd, 0, SEEK_CUR) != -1 || errno != EBADF) host->fail(host, "a descriptor");
        emit(host, "a", "{}");
        """
    let head = """
      #define PATH "\(path)"
      #define TRY(call) \\
        errno = 0; \\
        if ((call) != -1) host->fail(host, "did " #call); \\
        if (errno != EPERM) host->fail(host, #call)
      static void *run(void *x) { return x; }
      """
    #expect(try failure(detect: body, head: head) == "(no error)")
    #expect(FileManager.default.fileExists(atPath: path))
    // Without confinement the same call can.
    let free = try PluginSet(
      loading: [libraries.make("free", detect: body, head: head)], confines: false)
    let desk = PluginDesk(try #require(free.plugin(named: "free")))
    #expect(message { _ = try desk.detect([]) } == #"plugin free: did open(PATH, O_RDONLY)"#)
  }

  // MARK: The start

  @Test func whatCannotBeLoadedIsToldAtTheStart() throws {
    func refusal(_ paths: String...) -> String {
      message { _ = try PluginSet(loading: paths, confines: true, secondsMaximum: 5) }
    }
    let good = try libraries.make("good")
    #expect(
      refusal(libraries.directory.path + "/none.so").contains("cannot open shared object file"))
    let empty = libraries.directory.appending(path: "empty.c")
    try "int nothing;".write(to: empty, atomically: true, encoding: .utf8)
    #expect(
      refusal(try libraries.compile(empty, as: "empty")).contains("no function sluice_plugin"))
    #expect(refusal(try libraries.make("old", version: "99")).contains("another version"))
    #expect(refusal(try libraries.make("Big")).contains("its key has to be"))
    #expect(refusal(try libraries.make("fallback")).contains("another plugin has the key fallback"))
    #expect(refusal(good, good).contains("another plugin has the key good"))
    #expect(refusal(good, try libraries.make("same")).contains("has the schema t_piece too"))
    #expect(
      refusal(try libraries.make("bad", schema: "\"t\", \"1.0\", \"[]\"")).contains(
        "no JSON object"))
    #expect(refusal(try libraries.make("noglobs", globs: "NULL")).contains("1 to 64 globs"))
    let crash = "__attribute__((constructor)) static void start(void) { abort(); }"
    #expect(
      refusal(good, try libraries.make("crash", head: crash)).contains("crash.so: the process that")
    )
    // It takes the built-in one's place.
    let own = try libraries.make(
      "json", globs: "\"*.json\"", schema: "\"json_root\", \"1.0\", \"{}\"")
    let set = try libraries.load(own)
    #expect(set.matching(path: "/a.json").count == 1)
    #expect(set.plugin(named: "json") is ProcessPlugin)
  }
}
