import Foundation
import Glibc
import OrcContract
import OrcCore
import OrcFiles
import Testbed
import Testing

@testable import OrcPlans

/// Folders that a game, or its owner, has prepared against the agent.
@Suite struct ServerFolderTests {
    private let server = ServerID(uid: "x.one")!
    private let owner = DirectoryHandle.Owner(user: getuid(), group: getgid())

    private func config() throws -> ServerConfig {
        let document: JSON = ["metadata": ["game_uid": "x", "image": "i"], "ports": [], "environment": [:]]
        let plan = try Plan(document, file: "plan.json")
        return try ServerConfig(server: server, plan: plan, environment: [:], ports: [], description: nil, image: nil)
    }

    @discardableResult
    private func create(_ folder: ServerFolder, _ contents: ServerFolder.Contents, _ plan: DirectoryHandle? = nil)
        throws -> Bool
    {
        let isNew = try folder.make()
        try folder.fill(contents, planFolder: plan)
        return isNew
    }

    private func withServers(_ body: (URL, ServerFolder) throws -> Void) async throws {
        try await Testbed.withFolder { root in
            let servers = root.appending(path: "servers")
            try FileManager.default.createDirectory(at: servers, withIntermediateDirectories: true)
            try body(root, ServerFolder(server, in: servers.path()))
        }
    }

    @Test func `a removal also takes what an earlier one of the same server left, and no other's`() async throws {
        try await withServers { root, folder in
            for name in ["x/.orc-removed-one.1a/data", "x/.orc-removed-one.2b", "x/.orc-removed-one2.3c", "x/two"] {
                try FileManager.default.createDirectory(
                    at: root.appending(path: "servers/\(name)"), withIntermediateDirectories: true)
            }
            try folder.remove()
            let left = try FileManager.default.contentsOfDirectory(atPath: root.appending(path: "servers/x").path())
            #expect(left.sorted() == [".orc-removed-one2.3c", "two"])
        }
    }

    @Test func `a new server's folder is made, read back and removed whole`() async throws {
        try await withServers { root, folder in
            let contents = ServerFolder.Contents(
                config: try config(), files: [("config/a.cfg", Array("x".utf8)), ("b.json", Array("{}".utf8))],
                owner: owner)
            try create(folder, contents)
            #expect(try folder.config()?.server == server && folder.hasFile("config/a.cfg") && folder.hasFile("b.json"))
            #expect(throws: PlanError.exists(server)) { try create(folder, contents) }
            #expect(try ServerFolder.all(in: root.appending(path: "servers").path()).found.map(\.server) == [server])
            try folder.remove()
            #expect(try FileManager.default.contentsOfDirectory(atPath: root.appending(path: "servers").path()).isEmpty)
        }
    }

    @Test(arguments: [
        "../x", "a/../../x", "/etc/x", "", "a//b", "config.json", "docker-compose.yml", "plan.json/x", "a/./b",
    ])
    func `a file that would leave the folder, or take a reserved name, is refused`(path: String) async throws {
        try await withServers { root, folder in
            let contents = ServerFolder.Contents(config: try config(), files: [(path, [1])], owner: owner)
            #expect(throws: FileError.self) { try create(folder, contents) }
            #expect(!FileManager.default.fileExists(atPath: root.appending(path: "x").path()))
            #expect(!FileManager.default.fileExists(atPath: "/etc/x"))
        }
    }

    @Test func `links in the folder are neither followed, written through, given away nor emptied`() async throws {
        try await withServers { root, folder in
            let outside = root.appending(path: "outside")
            try FileManager.default.createDirectory(at: outside, withIntermediateDirectories: true)
            try "precious".write(to: outside.appending(path: "world"), atomically: true, encoding: .utf8)
            let place = URL(filePath: folder.path)
            try FileManager.default.createDirectory(at: place, withIntermediateDirectories: true)
            symlink(outside.path(), place.appending(path: "link").path())
            symlink(outside.appending(path: "world").path(), place.appending(path: "file").path())
            for path in ["link/new", "file"] {
                let contents = ServerFolder.Contents(config: try config(), files: [(path, [1])], owner: owner)
                #expect(throws: FileError.self) { try create(folder, contents) }
            }
            #expect(!folder.hasFile("file"))
            try folder.remove()
            #expect(try String(contentsOf: outside.appending(path: "world"), encoding: .utf8) == "precious")
            #expect(try FileManager.default.contentsOfDirectory(atPath: outside.path()) == ["world"])
        }
    }

    @Test func `a config folder that is a link reports nothing, nor does a link or a pipe in it`() async throws {
        try await withServers { root, folder in
            try "s3cret".write(to: root.appending(path: "shadow"), atomically: true, encoding: .utf8)
            let contents = ServerFolder.Contents(config: try config(), files: [], owner: owner)
            try create(folder, contents)
            let configFolder = URL(filePath: folder.path).appending(path: "config")
            symlink(root.appending(path: "shadow").path(), configFolder.appending(path: "peek").path())
            mkfifo(configFolder.appending(path: "pipe").path(), 0o666)
            try "1".write(to: configFolder.appending(path: "port"), atomically: true, encoding: .utf8)
            let secrets = SecretRedactor(environment: [:])
            #expect(try folder.configReport(secrets: secrets).map(\.name) == ["port"])
            try "a\u{1B}[2Jb\rc\r\n\td\u{9B}31m\u{202E}".write(
                to: configFolder.appending(path: "port"), atomically: true, encoding: .utf8)
            #expect(try folder.configReport(secrets: secrets).map(\.value) == ["a[2Jbc\r\n\td31m"])
            try FileManager.default.removeItem(at: configFolder)
            symlink("/etc", configFolder.path())
            #expect(throws: FileError.self) { try folder.configReport(secrets: secrets) }
        }
    }

    @Test func `a file that is a link is not read, and none is written through`() async throws {
        try await withServers { root, folder in
            try create(folder, ServerFolder.Contents(config: try config(), files: [], owner: owner))
            let outside = root.appending(path: "outside")
            try "precious".write(to: outside, atomically: true, encoding: .utf8)
            let place = URL(filePath: folder.path)
            let handle = try DirectoryHandle(path: folder.path)
            symlink(outside.path(), place.appending(path: "link").path())
            #expect(try handle.read("link", limit: 100) == nil)
            let settings = place.appending(path: "config.json")
            try FileManager.default.moveItem(at: settings, to: root.appending(path: "elsewhere"))
            symlink(root.appending(path: "elsewhere").path(), settings.path())
            #expect((try? folder.config()) == nil)
            let draft = place.appending(path: ".file.orc-\(getpid())")
            symlink(outside.path(), draft.path())
            #expect(throws: FileError.self) { try handle.write(Array("new".utf8), to: "file", mode: 0o600) }
            #expect(try String(contentsOf: outside, encoding: .utf8) == "precious")
        }
    }

    @Test func `names that are not UTF-8 are removed too`() async throws {
        try await withServers { root, folder in
            try create(folder, ServerFolder.Contents(config: try config(), files: [], owner: owner))
            let name: [UInt8] = Array("\(folder.path)/data/".utf8) + [0xFF, 0xFE, 0]
            name.withUnsafeBufferPointer { bytes in
                bytes.withMemoryRebound(to: CChar.self) {
                    _ = Glibc.close(open($0.baseAddress!, O_CREAT | O_WRONLY, 0o600))
                }
            }
            #expect(try FileManager.default.contentsOfDirectory(atPath: "\(folder.path)/data").count == 1)
            try folder.remove()
            #expect(!folder.exists)
        }
    }

    @Test func `an owner's own compose file is not written over`() async throws {
        try await withServers { root, folder in
            let place = URL(filePath: folder.path)
            try FileManager.default.createDirectory(at: place, withIntermediateDirectories: true)
            try "mine".write(to: place.appending(path: "docker-compose.yml"), atomically: true, encoding: .utf8)
            let contents = ServerFolder.Contents(config: try config(), files: [], owner: owner)
            #expect(throws: PlanError.exists(server)) { try create(folder, contents) }
            #expect(try String(contentsOf: place.appending(path: "docker-compose.yml"), encoding: .utf8) == "mine")
        }
    }

    @Test func `a preloaded folder keeps what its owner put there`() async throws {
        try await withServers { root, folder in
            let planFolder = root.appending(path: "plans/x")
            try FileManager.default.createDirectory(
                at: planFolder.appending(path: "actions"), withIntermediateDirectories: true)
            try "theirs".write(to: planFolder.appending(path: "server.cfg"), atomically: true, encoding: .utf8)
            try "go".write(to: planFolder.appending(path: "actions/server_start"), atomically: true, encoding: .utf8)
            let place = URL(filePath: folder.path)
            try FileManager.default.createDirectory(at: place, withIntermediateDirectories: true)
            try "mine".write(to: place.appending(path: "server.cfg"), atomically: true, encoding: .utf8)
            let contents = ServerFolder.Contents(config: try config(), files: [], owner: owner)
            #expect(try create(folder, contents, DirectoryHandle(path: planFolder.path())) == false)
            #expect(try String(contentsOf: place.appending(path: "server.cfg"), encoding: .utf8) == "mine")
            #expect(folder.hasFile("actions/server_start"))
            try folder.removeConfig()
            #expect(!folder.hasConfig && folder.hasFile("server.cfg"))
        }
    }
}
