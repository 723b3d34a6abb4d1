import Foundation
import Peon
import Testbed
import Testing

@testable import Plans

/// PEON's real war plans.
@Suite struct CorpusTests {
    static func games() throws -> [String] {
        let folder = try Testbed.corpus().appending(path: "warplans")
        return try FileManager.default.contentsOfDirectory(atPath: folder.path()).sorted().filter {
            FileManager.default.fileExists(atPath: folder.appending(path: "\($0)/plan.json").path())
        }
    }

    static func plan(_ game: String) throws -> Plan {
        try PlanCatalogue(path: Testbed.corpus().appending(path: "warplans").path()).plan(game)
    }

    /// A server of a plan with every setting given.
    static func config(_ game: String, camp: String = "one", settings: JSON.Object? = nil) throws -> ServerConfig {
        let plan = try plan(game)
        let given =
            settings ?? JSON.Object(plan.environment.members.filter { $0.value.isNull }.map { ($0.key, .string("x")) })
        let (environment, _) = try plan.applying(given)
        return try ServerConfig(
            server: ServerID(game: game, camp: camp)!, plan: plan, environment: environment,
            ports: plan.portGroups.first ?? [], description: nil, image: nil)
    }

    @Test func `every plan loads and yields a container that the engine's rules allow`() throws {
        let games = try Self.games()
        #expect(games.count >= 21)
        for game in games {
            let spec = try Self.config(game).container(
                at: .init(folder: "/srv/\(game)/one", host: HostName(fitting: "h"), publicIP: nil),
                hasFile: { _ in true })
            #expect(spec.name == "peon.warcamp.\(game).one" && spec.hostname == spec.name, "\(game)")
            #expect(Set(spec.mounts.map(\.target)).count == spec.mounts.count, "\(game): a target twice")
            #expect(
                spec.mounts.allSatisfy { $0.source.hasPrefix("/srv/\(game)/one/") && $0.target.hasPrefix("/") },
                "\(game)")
            #expect(Set(spec.environment.map(\.name)).count == spec.environment.count, "\(game): a variable twice")
            #expect(!spec.ports.isEmpty && Set(spec.ports).count == spec.ports.count, "\(game)")
        }
    }

    @Test func `the catalogue lists every plan, with and without a folder`() throws {
        let (entries, complaints) = try PlanCatalogue(path: Testbed.corpus().appending(path: "warplans").path()).list()
        #expect(complaints.isEmpty)
        #expect(entries.count >= 100)
        #expect(entries.contains { $0.game == "valheim" && $0.version == "1.0.0" })
        #expect(entries.contains { $0.version == nil })
        #expect(entries.map(\.title) == entries.map(\.title).sorted())
    }

    @Test func `valheim's three groups are three ports of one server`() throws {
        let spec = try Self.config("valheim").container(
            at: .init(folder: "/s", host: HostName(fitting: "h"), publicIP: nil), hasFile: { _ in false })
        #expect(spec.ports.map(\.number) == [2456, 2457, 2458])
        #expect(spec.environment.first { $0.name == "PORT" }?.value == "2456")
    }

    @Test func `ark's three groups are alternatives`() throws {
        let groups = try Self.plan("ark").portGroups
        #expect(
            groups.map { $0.map(\.number) } == [
                [7777, 7778, 27015, 27020], [7779, 7780, 27016, 27021], [7781, 7782, 27017, 27022],
            ])
    }

    @Test func `a port name that comes twice is published each time and its last number is the variable`() throws {
        let quake = try Self.config("quake3").container(
            at: .init(folder: "/s", host: HostName(fitting: "h"), publicIP: nil), hasFile: { _ in false })
        #expect(
            quake.ports.map { "\($0.number)/\($0.transport)" } == ["27960/tcp", "27960/udp", "8080/tcp", "8080/udp"])
        #expect(quake.environment.first { $0.name == "PORT" }?.value == "8080")
        let factory = try Self.config("satisfactory").container(
            at: .init(folder: "/s", host: HostName(fitting: "h"), publicIP: nil), hasFile: { _ in false })
        #expect(
            factory.ports.map { "\($0.number)/\($0.transport)" } == [
                "15777/udp", "15000/udp", "7777/udp", "7777/tcp", "8888/udp", "8888/tcp",
            ])
        #expect(factory.environment.first { $0.name == "PORT" }?.value == "8888")
    }

    @Test func `of two volumes on one target the last has it, with a warning`() throws {
        let config = try Self.config("barotrauma")
        let spec = config.container(
            at: .init(folder: "/s", host: HostName(fitting: "h"), publicIP: nil), hasFile: { _ in false })
        #expect(spec.mounts.first { $0.target == "/home/steam/steamcmd/data" }?.source == "/s/user")
        #expect(config.contestedTargets == ["/home/steam/steamcmd/data"])
    }

    @Test func `a STEAM_ID of null is a setting like any other, one of the plan's is fixed`() throws {
        #expect(throws: PlanError.missingSettings(["STEAM_ID", "SERVER_NAME"])) {
            try Self.plan("mumble").applying([:])
        }
        #expect(try Self.plan("mumble").applying(["STEAM_ID": "7", "SERVER_NAME": "x"]).environment["STEAM_ID"] == "7")
        #expect(
            try Self.plan("rust").applying(["STEAM_ID": "258550", "SERVER_NAME": "x"]).environment["STEAM_ID"]
                == "258550")
        #expect(throws: PlanError.self) { try Self.plan("rust").applying(["STEAM_ID": "1", "SERVER_NAME": "x"]) }
    }

    @Test func `all required settings must be given, unknown ones are refused by name`() throws {
        let valheim = try Self.plan("valheim")
        #expect(throws: PlanError.missingSettings(["WORLD_NAME", "PASSWORD"])) {
            try valheim.applying(["SERVER_NAME": "a"])
        }
        #expect(throws: PlanError.missingSettings(["PASSWORD"])) {
            try valheim.applying(["SERVER_NAME": "a", "WORLD_NAME": "b", "PASSWORD": nil])
        }
        #expect(throws: PlanError.unknownSettings(["WORLD"])) {
            try valheim.applying(["SERVER_NAME": "a", "WORLD_NAME": "b", "PASSWORD": "c", "WORLD": "d"])
        }
        #expect(throws: PlanError.self) {
            try valheim.applying(["SERVER_NAME": ["a"], "WORLD_NAME": "b", "PASSWORD": "c"])
        }
    }

    @Test func `files are mounted where they exist`() throws {
        let config = try Self.config("vrising")
        let place = ServerConfig.Place(folder: "/s", host: HostName(fitting: "h"), publicIP: nil)
        let without = config.container(at: place, hasFile: { _ in false })
        let with = config.container(at: place, hasFile: { $0 == "ServerHostSettings.json" })
        #expect(with.mounts.count == without.mounts.count + 1)
        #expect(with.mounts.last?.source == "/s/ServerHostSettings.json")
        #expect(with.fingerprint != without.fingerprint)
    }

    @Test func `the settings of a plan are answered as PEON answers them`() throws {
        #expect(
            try Self.plan("valheim").settingsReport.text()
                == #"{"SERVER_NAME":"","WORLD_NAME":"","PASSWORD":"","description":"A Valheim game server for PEON."}"#)
    }
}
