import Foundation
import Glibc
import OrcContract
import OrcCore
import OrcPlans
import Testbed
import Testing

@testable import OrcFiles

/// Trees that a game, or what is mounted in them, has made hard to remove.
@Suite struct TreeTests {
    private let owner = DirectoryHandle.Owner(user: getuid(), group: getgid())

    /// Makes folders in folders below `path`; names of eight letters.
    private func deepen(_ path: String, levels: Int, name: String = "deepdeep") {
        var folder = open(path, O_RDONLY | O_DIRECTORY)
        for _ in 0..<levels {
            mkdirat(folder, name, 0o755)
            let next = openat(folder, name, O_RDONLY | O_DIRECTORY)
            close(folder)
            folder = next
        }
        close(openat(folder, "bottom", O_CREAT | O_WRONLY, 0o644))
        close(folder)
    }

    private var openDescriptors: Int {
        (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").count) ?? 0
    }

    @Test(arguments: [(20_000, "deepdeep"), (2500, String(repeating: "d", count: 250))])
    func `a tree of any depth is removed`(levels: Int, name: String) async throws {
        try await Testbed.withFolder { root in
            let folder = root.appending(path: "a")
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
            for (branch, levels) in [("x", levels), ("y", 50)] {
                try FileManager.default.createDirectory(
                    at: folder.appending(path: branch), withIntermediateDirectories: true)
                deepen(folder.appending(path: branch).path(), levels: levels, name: name)
            }
            let before = openDescriptors
            try DirectoryHandle(path: root.path()).removeTree("a")
            #expect(!FileManager.default.fileExists(atPath: folder.path()))
            #expect(openDescriptors <= before + 8)  // other tests run beside this one
        }
    }

    @Test func `a removal is broken off when it is to be, and another one goes on`() async throws {
        try await Testbed.withFolder { root in
            for index in 0..<2000 {
                let folder = root.appending(path: "a/\(index)/b")
                try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
            }
            let folder = try DirectoryHandle(path: root.path())
            let before = openDescriptors
            var asked = 0
            #expect(throws: FileError.self) {
                try folder.removeTree("a") {
                    asked += 1
                    return asked == 3
                }
            }
            let left = try FileManager.default.contentsOfDirectory(atPath: root.appending(path: "a").path()).count
            #expect((1..<2000).contains(left) && openDescriptors <= before + 8)
            try folder.removeTree("a")
            #expect(!FileManager.default.fileExists(atPath: root.appending(path: "a").path()))
        }
    }

    @Test func `many folders side by side are removed`() async throws {
        try await Testbed.withFolder { root in
            for index in 0..<1000 {
                let folder = root.appending(path: "a/\(index)/b")
                try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
                _ = FileManager.default.createFile(atPath: folder.appending(path: "f").path(), contents: Data())
            }
            try DirectoryHandle(path: root.path()).removeTree("a")
            #expect(!FileManager.default.fileExists(atPath: root.appending(path: "a").path()))
        }
    }

    @Test func `a folder that is given away is no deeper than games' are`() async throws {
        try await Testbed.withFolder { root in
            deepen(root.path(), levels: 300)
            #expect(throws: FileError.tooDeep(path: root.path(), limit: 256)) {
                try DirectoryHandle(path: root.path()).giveTree(to: owner)
            }
            try DirectoryHandle(path: root.path()).removeTree("deepdeep")
        }
    }

    /// Runs `body` with a folder on another disk, or on the same, mounted inside a tree; as root alone.
    private func withMount(
        _ type: String?, at place: String, _ body: (_ root: URL, _ precious: URL) throws -> Void
    ) async throws {
        try await Testbed.withFolder { root in
            let mount = root.appending(path: place), nas = root.appending(path: "nas")
            for folder in [mount, nas] {
                try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
            }
            let flags = type == nil ? UInt(MS_BIND) : 0
            try #require(
                Glibc.mount(nas.path(percentEncoded: false), mount.path(percentEncoded: false), type, flags, nil) == 0)
            defer { umount2(mount.path(percentEncoded: false), Int32(MNT_DETACH)) }
            let precious = mount.appending(path: "precious")
            try "x".write(to: precious, atomically: false, encoding: .utf8)
            chown(precious.path(percentEncoded: false), 4711, 4711)
            try body(root, precious)
        }
    }

    private func ownerOf(_ file: URL) -> UInt32 {
        var status = stat()
        return stat(file.path(percentEncoded: false), &status) == 0 ? status.st_uid : .max
    }

    @Test(.enabled(if: geteuid() == 0, "needs root: it mounts"), arguments: [nil, "tmpfs"])
    func `what is mounted in a server's folder is neither removed nor given away`(type: String?) async throws {
        try await withMount(type, at: "servers/x/one/data/my nas") { root, precious in
            let folder = ServerFolder(ServerID(uid: "x.one")!, in: root.appending(path: "servers").path())
            let mount = "\(folder.path)/data/my nas"
            #expect(throws: FileError.mount(path: mount)) { try folder.checkRemovable() }
            #expect(throws: FileError.mount(path: mount)) { try folder.remove() }
            #expect(throws: FileError.mount(path: mount)) { try DirectoryHandle(path: folder.path).giveTree(to: owner) }
            // Also where the table of mounts was read before the mount was made.
            #expect(throws: FileError.self) {
                try DirectoryHandle(path: root.appending(path: "servers/x").path()).removeTree("one")
            }
            #expect(try String(contentsOf: precious, encoding: .utf8) == "x" && ownerOf(precious) == 4711)
            let size = try DirectoryHandle(path: folder.path).size {}
            #expect(size < 1 << 20)
        }
    }

    @Test(.enabled(if: geteuid() == 0, "needs root: it mounts"))
    func `a server's folder that is a mount itself is left as it is`() async throws {
        try await withMount("tmpfs", at: "servers/x/one") { root, precious in
            let folder = ServerFolder(ServerID(uid: "x.one")!, in: root.appending(path: "servers").path())
            #expect(throws: FileError.mount(path: folder.path)) { try folder.remove() }
            let kept = try String(contentsOf: precious, encoding: .utf8)
            #expect(kept == "x")
        }
    }

    @Test func `a removal that was cut off is gone on with`() async throws {
        try await Testbed.withFolder { root in
            let servers = root.appending(path: "servers")
            for name in ["x/.orc-removed-1/data", "x/kept/data", "y/.orc-removed-2"] {
                try FileManager.default.createDirectory(
                    at: servers.appending(path: name), withIntermediateDirectories: true)
            }
            try ServerFolder.removeLeftovers(in: servers.path())
            #expect(try FileManager.default.contentsOfDirectory(atPath: servers.path()) == ["x"])
            #expect(
                try FileManager.default.contentsOfDirectory(atPath: servers.appending(path: "x").path()) == ["kept"])
        }
    }

    @Test func `the table of mounts is read with its escapes`() {
        let text = """
            22 1 0:20 / / rw,relatime shared:1 - ext4 /dev/vda rw
            40 22 0:33 / /srv/a\\040b\\134c rw - tmpfs none rw
            41 22 0:33 /x /srv/ab rw master:1 - tmpfs none rw
            """
        let table = MountTable(Array(text.utf8))
        #expect(table.points == ["/", "/srv/a b\\c", "/srv/ab"])
        #expect(table.first(within: "/srv/a") == nil && table.first(within: "/srv/ab") == "/srv/ab")
        #expect(table.first(within: "/srv") == "/srv/a b\\c")
    }
}
