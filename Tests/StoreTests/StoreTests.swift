import Foundation
import Peon
import Testbed
import Testing

@testable import Store

@Suite struct StoreTests {
    private let server = ServerID(uid: "valheim.alpha")!

    private func withPath(_ body: (String) throws -> Void) async throws {
        try await Testbed.withFolder { folder in try body(folder.appending(path: "orc.db").path()) }
    }

    @Test func `what was written is there after the store is opened again`() async throws {
        try await withPath { path in
            do {
                let store = try Store(path: path)
                try store.set(.desired(.running), for: server)
                try store.set(.absent, for: ServerID(uid: "x.gone")!)
                try store.setAnnounced(true, server)
                #expect(try store.begin(instance: "one", at: Date(timeIntervalSince1970: 1)).isEmpty)
                try store.note("k", received: Date(timeIntervalSince1970: 50), forgettingBefore: .distantPast)
                try store.note("k", reply: "{}")
                try store.note("l", received: Date(timeIntervalSince1970: 51), forgettingBefore: .distantPast)
            }
            let store = try Store(path: path)
            #expect(try store.wishes() == [server: .desired(.running), ServerID(uid: "x.gone")!: .absent])
            #expect(try store.announced() == [server])
            #expect(try store.begin(instance: "two", at: Date(timeIntervalSince1970: 2)) == ["one"])
            let commands = try store.commands(since: Date(timeIntervalSince1970: 50))
            #expect(commands.map(\.key).sorted() == ["k", "l"])
            #expect(commands.first { $0.key == "k" }?.reply == "{}" && commands.first { $0.key == "l" }?.reply == nil)
        }
    }

    @Test func `what is forgotten is gone, and old commands go when new ones come`() async throws {
        try await withPath { path in
            let store = try Store(path: path)
            try store.set(.desired(.stopped), for: server)
            try store.set(.desired(.running), for: server)
            try store.forget(server)
            try store.setAnnounced(true, server)
            try store.setAnnounced(false, server)
            #expect(try store.wishes().isEmpty && store.announced().isEmpty)
            try store.note("old", received: Date(timeIntervalSince1970: 1), forgettingBefore: .distantPast)
            try store.note(
                "new", received: Date(timeIntervalSince1970: 9), forgettingBefore: Date(timeIntervalSince1970: 5))
            #expect(try store.commands(since: .distantPast).map(\.key) == ["new"])
        }
    }

    @Test func `a row that cannot be read is passed over, the rest counts`() async throws {
        try await withPath { path in
            let store = try Store(path: path)
            try store.set(.desired(.running), for: server)
            let database = try Database(path: path)
            try database.run("INSERT INTO desired VALUES ('no uid', 'running'), ('a.b', 'flying')")
            #expect(try store.wishes() == [server: .desired(.running)])
            #expect(try database.run("SELECT count(*) FROM desired") == [[.integer(3)]])
        }
    }

    @Test func `a later version's file is refused, no database is refused, and neither is touched`() async throws {
        try await withPath { path in
            _ = try Store(path: path)
            try Database(path: path).run("PRAGMA user_version = 99")
            #expect(throws: StoreError.self) { try Store(path: path) }
            #expect(try Database(path: path).run("PRAGMA user_version") == [[.integer(99)]])
            let other = path + ".txt"
            try String(repeating: "no database ", count: 100).write(toFile: other, atomically: true, encoding: .utf8)
            #expect(throws: StoreError.self) { try Store(path: other) }
            #expect(try String(contentsOfFile: other, encoding: .utf8).hasPrefix("no database"))
        }
    }

    @Test func `a transaction counts whole or not at all`() async throws {
        try await withPath { path in
            let database = try Database(path: path)
            try database.migrate(["CREATE TABLE t (x INTEGER UNIQUE) STRICT"])
            #expect(throws: StoreError.self) {
                try database.transaction([
                    ("INSERT INTO t VALUES (1)", []), ("INSERT INTO t VALUES (?)", [.integer(1)]),
                ])
            }
            #expect(try database.run("SELECT * FROM t").isEmpty)
        }
    }
}
