import Foundation
import Glibc
import OrcContract
import OrcCore
import OrcFiles
import Testbed
import Testing

@testable import OrcPlans

/// Who decides what a container may do on the machine.
@Suite struct ServerRightsTests {
    private let server = ServerID(uid: "x.one")!

    private func plan(_ extra: String = "", image: String = "i") throws -> Plan {
        try Plan(JSON.parse(#"{"metadata":{"game_uid":"x","image":"\#(image)"}\#(extra)}"#), file: "plan.json")
    }

    private static let granted = #"""
        ,"volumes":{"~!/data":"/data","/srv/shared":"/shared"},"ports":[[{"P":["443","tcp"]}]],
        "orc":{"security":{"user":"5:5","cap_add":["A"],"cap_drop":["B"],"no_new_privileges":true},
        "resources":{"memory":"1g","cpus":2,"pids":10}}
        """#

    @Test(arguments: [
        (#""volumes":{"~!/data":"/data","/etc":"/host/etc"}"#, "volumes outside the server's folder"),
        (#""files":{"/etc/shadow":"/x"}"#, "volumes outside the server's folder"),
        (#""volumes":{"/srv/shared":"/elsewhere"}"#, "volumes outside the server's folder"),
        (#""orc":{"security":{"user":"0:0"}}"#, "orc.security.user"),
        (#""orc":{"security":{"cap_add":["SYS_ADMIN"]}}"#, "orc.security.cap_add"),
        (#""orc":{"security":{"cap_drop":[]}}"#, "orc.security.cap_drop"),
        (#""orc":{"security":{"no_new_privileges":false}}"#, "orc.security.no_new_privileges"),
        (#""orc":{"resources":{"memory":"2g"}}"#, "orc.resources.memory"),
        (#""orc":{"resources":{"cpus":1}}"#, "orc.resources.memory"),
        (#""orc":{"resources":{"cpus":3}}"#, "orc.resources.cpus"),
        (#""orc":{"resources":{"pids":11}}"#, "orc.resources.pids"),
        (#""ports":[[{"P":["22","tcp"]}]]"#, "ports below 1024"),
        (#""ports":[[{"P":["1023","tcp"]}]]"#, "ports below 1024"),
    ])
    func `what asks for more than the plan gives is named`(extra: String, name: String) throws {
        let granted = ServerRights(try plan(Self.granted))
        #expect(ServerRights(try plan(",\(extra)")).excess(over: granted).contains(name))
    }

    @Test func `less than the plan gives, or its settings, are no excess`() throws {
        let granted = ServerRights(try plan(Self.granted))
        #expect(granted.excess(over: granted).isEmpty)
        let less = #"""
            ,"environment":{"A":"b"},"volumes":{"~!/data":"/data","~!/more":"/more"},"ports":[[{"P":["2456","udp"]}]],
            "orc":{"security":{"user":"5:5","cap_drop":["B","C"],"no_new_privileges":true},
            "resources":{"memory":"512m","cpus":1,"pids":5}}
            """#
        #expect(ServerRights(try plan(less)).excess(over: granted).isEmpty)
        #expect(ServerRights(try plan(less.replacing("2456", with: "1024"))).excess(over: granted).isEmpty)
        #expect(ServerRights(try plan(Self.granted, image: "j")).excess(over: granted) == ["metadata.image"])
        #expect(ServerRights(try plan(less)).text != granted.text)
        #expect(ServerRights(try plan(Self.granted)).text == granted.text)
    }

    @Test(.enabled(if: geteuid() == 0, "needs root: it gives files away"))
    func `a new server's configuration belongs to the agent, its data to the game`() async throws {
        try await Testbed.withFolder { root in
            let servers = root.appending(path: "servers")
            try FileManager.default.createDirectory(at: servers, withIntermediateDirectories: true)
            let folder = ServerFolder(server, in: servers.path())
            let owner = DirectoryHandle.Owner(user: 1000, group: 1000)
            let config = try ServerConfig(
                server: server, plan: try plan(), environment: [:], ports: [], description: nil, image: nil)
            _ = try folder.make()
            try folder.fill(.init(config: config, files: [("server.cfg", [1])], owner: owner), planFolder: nil)
            func uid(_ name: String) -> UInt32 {
                var status = stat()
                return lstat("\(folder.path)/\(name)", &status) == 0 ? status.st_uid : .max
            }
            #expect(uid("") == 0 && uid("config.json") == 0)
            #expect(uid("data") == 1000 && uid("config") == 1000 && uid("server.cfg") == 1000)
            #expect(try folder.isConfigTrusted(owner: owner))
            #expect(try !folder.isConfigTrusted(owner: .init(user: 0, group: 0)))
            chown(folder.path, 1000, 1000)
            #expect(try !folder.isConfigTrusted(owner: owner))
            try folder.secure()
            #expect(try folder.isConfigTrusted(owner: owner) && uid("") == 0)
            chmod("\(folder.path)/config.json", 0o666)
            #expect(try !folder.isConfigTrusted(owner: owner))
        }
    }

    @Test func `what is mounted of a server's folder lies behind no link and in no other mount`() async throws {
        try await Testbed.withFolder { root in
            let folder = ServerFolder(server, in: root.path())
            let place = URL(filePath: folder.path)
            let owner = DirectoryHandle.Owner(user: getuid(), group: getgid())
            func prepare(_ extra: String) throws {
                try folder.prepareSources(of: ServerConfig(try plan(extra).whole, server: server), owner: owner)
            }
            try FileManager.default.createDirectory(
                at: place.appending(path: "data"), withIntermediateDirectories: true)
            symlink("/etc", place.appending(path: "data/mods").path())
            symlink("/etc", place.appending(path: "link").path())
            for extra in [
                #","volumes":{"~!/data":"/data","~!/data/mods":"/mods"}"#,
                #","volumes":{"~!/data":"/data"},"files":{"~!/data/cfg/server.cfg":"/server.cfg"}"#,
                #","volumes":{"~!/":"/data"}"#, #","volumes":{"~!/link":"/data"}"#,
                #","volumes":{"~!/link/x":"/data"}"#,
            ] {
                let error = #expect(throws: (any Error).self, "\(extra)") { try prepare(extra) }
                #expect(error is PlanError || error is FileError, "\(extra)")
            }
            try prepare(#","volumes":{"~!/data":"/data","~!/datax":"/b","~!/new/deep":"/c"},"files":{"~!/a.cfg":"/a"}"#)
            #expect(FileManager.default.fileExists(atPath: place.appending(path: "new/deep").path()))
            #expect(!FileManager.default.fileExists(atPath: "/etc/x"))
            #expect(!folder.hasFile("link/passwd") && !folder.hasFile("data/mods/passwd"))
        }
    }
}

extension Plan {
    fileprivate var whole: JSON { .object(document) }
}
