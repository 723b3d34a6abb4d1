import Foundation
import Glibc
import OrcContract
import OrcCore
import Testbed
import Testing

@testable import OrcStorage

/// A disk that takes nothing: what the store was asked to keep is there all the same, and on the disk once that can be.
@Suite struct ResilientDatabaseTests {
    private let server = ServerID(uid: "valheim.alpha")!

    /// Runs `body` with a small disk, as root alone.
    private func withDisk(megabytes: Int = 2, _ body: (_ folder: URL) throws -> Void) async throws {
        try await Testbed.withFolder { folder in
            try #require(mount("none", folder.path(), "tmpfs", 0, "size=\(megabytes)m") == 0)
            defer { umount2(folder.path(), Int32(MNT_DETACH)) }
            try body(folder)
        }
    }

    private func fill(_ folder: URL) {
        let file = open(folder.appending(path: "big").path(), O_WRONLY | O_CREAT | O_APPEND, 0o600)
        let block = [UInt8](repeating: 1, count: 4096)
        while write(file, block, block.count) > 0 {}
        close(file)
    }

    private func empty(_ folder: URL) { unlink(folder.appending(path: "big").path()) }

    private func intent(_ store: StateStore) throws -> StateStore.OwnerIntent? { try store.kept()[server]?.intent }

    @Test(.enabled(if: geteuid() == 0, "needs root: it mounts"))
    func `what a full disk refuses is kept in memory and written when there is room`() async throws {
        try await withDisk { folder in
            let path = folder.appending(path: "orc.db").path()
            let store = try StateStore(path: path)
            try store.set(.desired(.running), for: server)
            #expect(store.failure == nil)
            fill(folder)
            for round in 0..<200 { try store.set(engineRun: "run \(round) \(String(repeating: "x", count: 2000))") }
            try store.set(.desired(.stopped), for: server)
            #expect(store.failure?.word == "full")
            #expect(try intent(store) == .desired(.stopped) && store.engineRun()?.hasPrefix("run 199") == true)
            #expect(!store.flush())
            // Nothing of it has reached the disk.
            #expect(try intent(StateStore(path: path)) == .desired(.running))
            empty(folder)
            #expect(store.flush() && store.failure == nil)
            #expect(try intent(StateStore(path: path, needsDisk: true)) == .desired(.stopped))
            try store.set(.desired(.running), for: server)
            #expect(try intent(StateStore(path: path)) == .desired(.running))
        }
    }

    @Test(arguments: ["-wal", "-shm", ""])
    func `a database that loses one of its files is written anew`(suffix: String) async throws {
        try await Testbed.withFolder { folder in
            let path = folder.appending(path: "orc.db").path()
            let store = try StateStore(path: path)
            try store.set(.desired(.running), for: server)
            #expect(store.flush() && store.takeReplaced() == nil)
            unlink(path + suffix)
            #expect(store.flush() && store.takeReplaced() != nil && store.takeReplaced() == nil)
            try store.set(engineRun: "later")
            let found = try StateStore(path: path, needsDisk: true)
            #expect(try intent(found) == .desired(.running) && found.engineRun() == "later")
        }
    }

    @Test func `a database that is cut short or written over is written anew`() async throws {
        try await Testbed.withFolder { folder in
            let path = folder.appending(path: "orc.db").path()
            let store = try StateStore(path: path)
            for number in 0..<40 { try store.set(.desired(.running), for: ServerID(uid: "valheim.s\(number)")!) }
            #expect(store.flush())
            let size = try FileManager.default.attributesOfItem(atPath: path)[.size] as? Int ?? 0
            #expect(size > 4096, "a checkpoint has been made")
            truncate(path, 0)
            #expect(store.flush() && store.takeReplaced() != nil)
            #expect(try StateStore(path: path, needsDisk: true).kept().count == 40)
            #expect(store.flush())
            let file = open(path, O_WRONLY)
            let noise = [UInt8](repeating: 7, count: 3 * 4096)
            pwrite(file, noise, noise.count, 4096)
            close(file)
            #expect(store.flush() && store.takeReplaced() != nil)
            #expect(try StateStore(path: path, needsDisk: true).kept().count == 40)
            #expect(store.flush() && store.takeReplaced() == nil)
        }
    }

    @Test func `what a shortened log had is lost alone, and another program waits for the right files`() async throws {
        try await Testbed.withFolder { folder in
            let path = folder.appending(path: "orc.db").path()
            let store = try StateStore(path: path)
            try store.set(.desired(.running), for: server)
            #expect(store.flush() && DatabaseFiles.areAnnounced(path))
            truncate(path + "-wal", 0)
            #expect(store.flush() && store.takeReplaced() != nil && DatabaseFiles.areAnnounced(path))
            #expect(try intent(StateStore(path: path, needsDisk: true)) == .desired(.running))
            rename(path, path + ".elsewhere")
            #expect(!DatabaseFiles.areAnnounced(path))
            #expect(store.flush() && DatabaseFiles.areAnnounced(path))
            unlink(path + "-shm")
            #expect(!DatabaseFiles.areAnnounced(path))
            #expect(store.flush() && DatabaseFiles.areAnnounced(path))
            #expect(try intent(StateStore(path: path, needsDisk: true)) == .desired(.running))
        }
    }

    @Test func `of a damaged file what can be read is taken over`() async throws {
        try await Testbed.withFolder { folder in
            let path = folder.appending(path: "orc.db").path()
            do {
                let store = try StateStore(path: path)
                try store.set(.desired(.running), for: server)
                for number in 0..<200 {
                    var entry = AuditEntry(at: Date(), origin: .bus, action: "stop", outcome: "ok")
                    entry.arguments = String(repeating: "\(number)", count: 200)
                    try store.add([entry])
                }
                store.finish()
            }
            let size = try FileManager.default.attributesOfItem(atPath: path)[.size] as? Int ?? 0
            let file = open(path, O_WRONLY)
            let noise = [UInt8](repeating: 7, count: 4096)
            pwrite(file, noise, noise.count, off_t(size - 4096))
            close(file)
            #expect(throws: StorageError.self) { try StateStore(path: path) }
            rename(path, path + ".aside")
            let store = try StateStore(path: path, aside: path + ".aside")
            #expect(try intent(store) == .desired(.running))
        }
    }

    @Test(arguments: [true, false])
    func `a database whose file is taken away is written anew, and what was put in its place is kept`(isReplaced: Bool)
        async throws
    {
        try await Testbed.withFolder { folder in
            let path = folder.appending(path: "orc.db").path()
            let store = try StateStore(path: path)
            try store.set(.desired(.running), for: server)
            #expect(store.flush())
            for suffix in ["", "-wal", "-shm"] { unlink(path + suffix) }
            if isReplaced { try StateStore(path: path).set(engineRun: "another's") }
            try store.set(engineRun: "after")
            #expect(store.flush() && store.failure == nil)
            try store.set(engineRun: "later")
            let found = try StateStore(path: path, needsDisk: true)
            #expect(try intent(found) == .desired(.running) && found.engineRun() == "later")
            let files = try FileManager.default.contentsOfDirectory(atPath: folder.path())
            #expect(files.contains { $0.hasPrefix("orc.db.replaced-") } == isReplaced, "\(files)")
            #expect(try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int == 0o600)
            #expect(store.flush())
            #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path()).sorted() == files.sorted())
        }
    }

    @Test(.enabled(if: geteuid() == 0, "needs root: it mounts"))
    func `a store on a full disk opens with what it holds`() async throws {
        try await withDisk { folder in
            let path = folder.appending(path: "orc.db").path()
            do {
                let store = try StateStore(path: path)
                try store.set(.desired(.running), for: server)
                _ = try store.begin(instance: "one", at: Date())
            }
            for suffix in [".reserve", "-shm", "-wal"] { unlink(path + suffix) }
            fill(folder)
            let store = try StateStore(path: path)
            #expect(try intent(store) == .desired(.running))
            #expect(try store.begin(instance: "two", at: Date()) == ["one"])
            try store.set(.desired(.stopped), for: server)
            #expect(throws: StorageError.self) {
                let other = try StateStore(path: path, needsDisk: true)
                try other.set(.desired(.stopped), for: server)
            }
            empty(folder)
            #expect(store.flush())
            #expect(try intent(StateStore(path: path, needsDisk: true)) == .desired(.stopped))
        }
    }

    @Test(arguments: [
        (13, "full"), (8, "read_only"), (10, "failed"), (5, "locked"), (6, "locked"), (14, "failed"),
        (10 | 3 << 8, "failed"),
    ])
    func `what may pass is told from what is damaged`(code: Int32, word: String) {
        let error = StorageError.sqlite(code: code, message: "")
        #expect(error.isPassing && error.word == word)
        #expect(error.isFull == [13, 10, 14].contains(code & 0xFF))
        #expect(!StorageError.sqlite(code: 19, message: "").isPassing && !StorageError.damaged("").isPassing)
    }

    @Test func `the room that was kept is given up first`() async throws {
        try await Testbed.withFolder { folder in
            let path = folder.appending(path: "orc.db").path()
            _ = try StateStore(path: path)
            var status = stat()
            #expect(stat("\(path).reserve", &status) == 0 && status.st_blocks * 512 >= 512 << 10)
            let reserve = DiskReserve(beside: path)
            #expect(reserve.give() && !reserve.give())
            reserve.keep()
            #expect(access("\(path).reserve", F_OK) == 0)
        }
    }

    @Test(.enabled(if: geteuid() == 0, "needs root: it mounts"), arguments: [(2, false), (12, true)])
    func `room is reserved where at least eight megabytes are free`(megabytes: Int, isReserved: Bool) async throws {
        try await withDisk(megabytes: megabytes) { folder in
            let path = folder.appending(path: "orc.db").path()
            _ = try StateStore(path: path)
            #expect((access("\(path).reserve", F_OK) == 0) == isReserved)
        }
    }

    @Test func `a lock of another process holds nobody up, and what it wrote stays`() async throws {
        try await Testbed.withFolder { folder in
            let path = folder.appending(path: "orc.db").path()
            let store = try StateStore(path: path)
            try store.set(.desired(.running), for: server)
            let other = try SQLiteDatabase(path: path, patience: 5000)
            try other.run("BEGIN EXCLUSIVE")
            try other.run(
                "INSERT INTO access (name, role, digest, created) VALUES ('other', 'admin', '\(String(repeating: "0", count: 64))', 0)"
            )
            let begun = ContinuousClock.now
            for _ in 0..<20 { try store.set(.desired(.stopped), for: server) }
            #expect(ContinuousClock.now - begun < .seconds(3))
            #expect(store.failure?.word == "locked")
            #expect(try intent(store) == .desired(.stopped))
            #expect(!store.flush())
            try other.run("COMMIT")
            #expect(store.flush())
            #expect(try store.keys().map(\.name) == ["other"])
            #expect(try intent(StateStore(path: path)) == .desired(.stopped))
        }
    }
}
