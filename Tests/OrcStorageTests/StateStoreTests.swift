import Foundation
import OrcContract
import OrcCore
import Testbed
import Testing

@testable import OrcStorage

@Suite struct StateStoreTests {
    private let server = ServerID(uid: "valheim.alpha")!

    private func withPath(_ body: (String) throws -> Void) async throws {
        try await Testbed.withFolder { folder in try body(folder.appending(path: "orc.db").path()) }
    }

    @Test func `the newest runs of the agent are known, the oldest are forgotten`() async throws {
        try await withPath { path in
            let store = try StateStore(path: path)
            var known: Set<String> = []
            for number in 0..<18 {
                known = try store.begin(instance: "run \(number)", at: Date(timeIntervalSince1970: Double(number)))
            }
            #expect(known == Set((1..<17).map { "run \($0)" }))
        }
    }

    @Test func `a file with one damaged page is refused at once`() async throws {
        try await withPath { path in
            do {
                let store = try StateStore(path: path)
                for number in 0..<300 { try store.set(.desired(.running), for: ServerID(uid: "valheim.s\(number)")!) }
                store.finish()
            }
            let size = try FileManager.default.attributesOfItem(atPath: path)[.size] as? Int ?? 0
            let file = open(path, O_WRONLY)
            let noise = [UInt8](repeating: 7, count: 2048)
            pwrite(file, noise, noise.count, off_t(size - 4096))
            close(file)
            let error = #expect(throws: StorageError.self) { try StateStore(path: path) }
            guard case .damaged? = error else { return #expect(Bool(false), "\(error as Any)") }
        }
    }

    @Test func `what was written is there after the store is opened again`() async throws {
        let run = Date(timeIntervalSince1970: 9)
        try await withPath { path in
            do {
                let store = try StateStore(path: path)
                try store.set(.desired(.running), for: server)
                try store.set(.absent, for: ServerID(uid: "x.gone")!)
                try store.setAnnounced(true, server)
                #expect(try store.begin(instance: "one", at: Date(timeIntervalSince1970: 1)).isEmpty)
                try store.set(
                    StateStore.PendingOperation(.stopping, since: Date(timeIntervalSince1970: 7), grace: 60),
                    for: server)
                var history = RestartHistory()
                history.times = [Date(timeIntervalSince1970: 8)]
                history.hasGivenUp = true
                try store.set(history, for: server)
                try store.note(StateStore.Readiness(run: run, reason: "start_timeout"), for: server)
                history.restarts = 3
                try store.note(history, for: server)
                for (key, second) in [("k", 50.0), ("l", 51), ("m", 52)] {
                    try store.note(
                        key, "c", received: Date(timeIntervalSince1970: second), forgettingBefore: .distantPast)
                }
                try store.note("k", reply: "{}")
                try store.noteSent(["k"])
                try store.noteBegun("l")
            }
            let store = try StateStore(path: path)
            let kept = try store.kept()
            #expect(kept[server]?.intent == .desired(.running) && kept[ServerID(uid: "x.gone")!]?.intent == .absent)
            #expect(kept[server]?.operation?.kind == .stopping && kept[server]?.operation?.grace == 60)
            #expect(kept[server]?.history?.hasGivenUp == true && kept[server]?.history?.times.count == 1)
            #expect(kept[server]?.history?.restarts == 3)
            #expect(kept[server]?.readiness == StateStore.Readiness(run: run, reason: "start_timeout"))
            #expect(try store.announced() == [server])
            #expect(try store.begin(instance: "two", at: Date(timeIntervalSince1970: 2)) == ["one"])
            let commands = try store.journal(since: Date(timeIntervalSince1970: 50))
            #expect(commands.map(\.key) == ["k", "l", "m"] && commands.map(\.hasBegun) == [false, true, false])
            #expect(commands.map(\.reply) == ["{}", nil, nil] && commands.map(\.command) == [nil, "c", "c"])
        }
    }

    @Test func `after what need not wait for the disk, all else waits for it again`() async throws {
        try await withPath { path in
            let store = try StateStore(path: path)
            let full: [[Value]] = [[.integer(2)]]
            #expect(try store.database.run("PRAGMA synchronous") == full)
            try store.note(RestartHistory(), for: server)
            #expect(try store.database.run("PRAGMA synchronous") == full)
            #expect(throws: StorageError.self) { try store.database.note("INSERT INTO nothing VALUES (1)") }
            #expect(try store.database.run("PRAGMA synchronous") == full)
        }
    }

    @Test func `what is forgotten is gone, and old commands go when new ones come`() async throws {
        try await withPath { path in
            let store = try StateStore(path: path)
            try store.set(.desired(.stopped), for: server)
            try store.set(.desired(.running), for: server)
            try store.forget(server)
            try store.setAnnounced(true, server)
            try store.setAnnounced(false, server)
            #expect(try store.kept().isEmpty && store.announced().isEmpty)
            try store.note("old", "c", received: Date(timeIntervalSince1970: 1), forgettingBefore: .distantPast)
            try store.note("old", reply: "{}")
            try store.note("open", "c", received: Date(timeIntervalSince1970: 1), forgettingBefore: .distantPast)
            try store.note(
                "new", "c", received: Date(timeIntervalSince1970: 9), forgettingBefore: Date(timeIntervalSince1970: 5))
            #expect(
                try store.journal(since: .distantPast).map(\.key) == ["open", "new"], "one without its reply stays")
            try store.forgetCommand("new")
            try store.forgetCommand("open")
            #expect(try store.journal(since: .distantPast).isEmpty)
        }
    }

    @Test func `a row that cannot be read is set aside, the rest counts`() async throws {
        try await withPath { path in
            let store = try StateStore(path: path)
            try store.set(.desired(.running), for: server)
            let database = try SQLiteDatabase(path: path, patience: 5000)
            try database.run("INSERT INTO desired VALUES ('no uid', 'running'), ('a.b', 'flying')")
            try database.run("INSERT INTO crash VALUES ('a.b', '{')")
            #expect(try store.kept().mapValues(\.intent) == [server: .desired(.running)])
            #expect(store.quarantinedRows == 3)
            #expect(try database.run("SELECT count(*) FROM desired") == [[.integer(1)]])
            let aside = try database.run("SELECT origin, content FROM aside ORDER BY origin, content")
            #expect(aside.map { $0.compactMap(\.text) }.contains(["desired", #"["a.b","flying"]"#]))
        }
    }

    @Test func `a file of the first version is taken over`() async throws {
        try await withPath { path in
            let database = try SQLiteDatabase(path: path, patience: 5000)
            try database.run("CREATE TABLE desired (uid TEXT PRIMARY KEY, state TEXT NOT NULL) STRICT")
            try database.run("CREATE TABLE announced (uid TEXT PRIMARY KEY) STRICT")
            try database.run("CREATE TABLE instance (id TEXT PRIMARY KEY, started REAL NOT NULL) STRICT")
            try database.run("CREATE TABLE command (key TEXT PRIMARY KEY, received REAL NOT NULL, reply TEXT) STRICT")
            try database.run("INSERT INTO desired VALUES ('valheim.alpha', 'running')")
            try database.run("PRAGMA user_version = 1")
            let store = try StateStore(path: path)
            #expect(try store.kept()[server]?.intent == .desired(.running))
            #expect(try store.journal(since: .distantPast).isEmpty)
        }
    }

    @Test func `a key keeps what it is bound to, and one whose bounds cannot be read counts for nothing`() async throws
    {
        try await withPath { path in
            let store = try StateStore(path: path)
            var key = StateStore.Key(
                name: "a", role: .operator, digest: Array(repeating: 7, count: 32),
                created: Date(timeIntervalSince1970: 5))
            key.scope = AccessScope(servers: [server, ServerID(uid: "x.y")!], verbs: [.start, .stop])
            key.expires = Date(timeIntervalSince1970: 99)
            #expect(try store.add(key))
            #expect(try StateStore(path: path).keys() == [key])
            let database = try SQLiteDatabase(path: path, patience: 5000)
            try database.run("UPDATE access SET verbs = 'start' || char(10) || 'fly'")
            #expect(try store.keys().isEmpty && store.quarantinedRows == 1)
        }
    }

    @Test func `what a server was granted is kept until it is forgotten, and its user is its own`() async throws {
        try await withPath { path in
            let store = try StateStore(path: path)
            let other = ServerID(uid: "x.y")!
            try store.grant("a", to: server)
            #expect(try store.rights(of: server) == "a" && store.rights(of: other) == nil)
            #expect(try [server, other, server].map { try store.account(of: $0) } == [0, 1, 0])
            try store.forget(server)
            #expect(try store.rights(of: server) == nil)
            #expect(try store.account(of: ServerID(uid: "z.z")!) == 0 && store.account(of: other) == 1)
        }
    }

    @Test func `the run of the engine is remembered`() async throws {
        try await withPath { path in
            let store = try StateStore(path: path)
            #expect(try store.engineRun() == nil)
            try store.set(engineRun: "one")
            try store.set(engineRun: "two")
            #expect(try store.engineRun() == "two")
        }
    }

    @Test func `a later version's file is refused, no database is refused, and neither is touched`() async throws {
        try await withPath { path in
            _ = try StateStore(path: path)
            try SQLiteDatabase(path: path, patience: 5000).run("PRAGMA user_version = 99")
            #expect(throws: StorageError.self) { try StateStore(path: path) }
            #expect(try SQLiteDatabase(path: path, patience: 5000).run("PRAGMA user_version") == [[.integer(99)]])
            let other = path + ".txt"
            try String(repeating: "no database ", count: 100).write(toFile: other, atomically: true, encoding: .utf8)
            #expect(throws: StorageError.self) { try StateStore(path: other) }
            #expect(try String(contentsOfFile: other, encoding: .utf8).hasPrefix("no database"))
        }
    }

    @Test func `a transaction counts whole or not at all`() async throws {
        try await withPath { path in
            let database = try SQLiteDatabase(path: path, patience: 5000)
            try database.migrate(["CREATE TABLE t (x INTEGER UNIQUE) STRICT"])
            #expect(throws: StorageError.self) {
                try database.transaction([
                    ("INSERT INTO t VALUES (1)", []), ("INSERT INTO t VALUES (?)", [.integer(1)]),
                ])
            }
            #expect(try database.run("SELECT * FROM t").isEmpty)
        }
    }
}
