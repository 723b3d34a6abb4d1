import Foundation
import OrcContract
import OrcCore
import OrcEngine
import Testbed
import Testing

@testable import OrcPlans

/// One plan of ours for each oddity of real war plans.
@Suite struct SamplePlanTests {
    static func games(_ folder: URL) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: folder.path()).sorted().filter {
            FileManager.default.fileExists(atPath: folder.appending(path: "\($0)/plan.json").path())
        }
    }

    /// A server of a plan with every setting given.
    static func config(
        _ game: String, in folder: URL = Testbed.samplePlans, settings: JSON.Object? = nil
    ) throws -> ServerConfig {
        let plan = try PlanCatalogue(path: folder.path()).plan(game)
        let given =
            settings ?? JSON.Object(plan.environment.members.filter { $0.value.isNull }.map { ($0.key, .string("x")) })
        let (environment, _) = try plan.applying(given)
        return try ServerConfig(
            server: ServerID(game: game, name: "one")!, plan: plan, environment: environment,
            ports: plan.portGroups.first ?? [], description: nil, image: nil)
    }

    static func container(
        _ game: String, in folder: URL = Testbed.samplePlans, hasFile: (String) -> Bool = { _ in false }
    ) throws -> ContainerSpec {
        let place = ServerConfig.Place(folder: "/srv/\(game)/one", host: HostName(fitting: "h"), publicIP: nil)
        return try config(game, in: folder).container(at: place, hasFile: hasFile)
    }

    @Test(arguments: try Testbed.planFolders())
    func `every plan loads and yields a container that the engine's rules allow`(folder: URL) throws {
        let games = try Self.games(folder)
        #expect(games.count >= 5)
        for game in games {
            let spec = try Self.container(game, in: folder) { _ in true }
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
        let (entries, complaints) = try PlanCatalogue(path: Testbed.samplePlans.path()).list()
        #expect(complaints.isEmpty)
        #expect(entries.contains { $0.game == "threeports" && $0.version == "1.0.0" && $0.isListed })
        #expect(entries.contains { $0.game == "listedalone" && $0.version == nil })
        #expect(entries.contains { $0.game == "arena" && $0.version == "1.0.0" && !$0.isListed })
        #expect(entries.map(\.title) == entries.map(\.title).sorted())
    }

    @Test func `three groups of one port each in a row are three ports of one server`() throws {
        let spec = try Self.container("threeports")
        #expect(spec.ports.map(\.number) == [3456, 3457, 3458])
        #expect(spec.environment.first { $0.name == "PORT" }?.value == "3456")
        #expect(spec.environment.first { $0.name == "PORT_3" }?.value == "3458")
        #expect(spec.mounts.last?.target == "/home/steam/.config/Studio/Game With Blanks")
    }

    @Test func `groups of several ports are alternatives`() throws {
        let groups = try PlanCatalogue(path: Testbed.samplePlans.path()).plan("alternatives").portGroups
        #expect(
            groups.map { $0.map(\.number) } == [[17777, 37015, 37020], [17779, 37016, 37021], [17781, 37017, 37022]])
    }

    @Test func `a port name that comes twice is published each time and its last number is the variable`() throws {
        let spec = try Self.container("arena")
        #expect(
            spec.ports.map { "\($0.number)/\($0.transport)" } == ["27960/tcp", "27960/udp", "8080/tcp", "8080/udp"])
        #expect(spec.environment.first { $0.name == "PORT" }?.value == "8080")
    }

    @Test func `of two volumes on one target the last has it, with a warning`() throws {
        let spec = try Self.container("onetarget")
        #expect(spec.mounts.first { $0.target == "/home/steam/steamcmd/data" }?.source == "/srv/onetarget/one/user")
        #expect(try Self.config("onetarget").contestedTargets == ["/home/steam/steamcmd/data"])
    }

    @Test func `a STEAM_ID of null is a setting like any other, one of the plan's is fixed`() throws {
        let catalogue = PlanCatalogue(path: Testbed.samplePlans.path())
        let open = try catalogue.plan("onetarget"), fixed = try catalogue.plan("threeports")
        #expect(throws: PlanError.missingSettings(["STEAM_ID", "SERVER_NAME"])) { try open.applying([:]) }
        #expect(try open.applying(["STEAM_ID": "7", "SERVER_NAME": "x"]).environment["STEAM_ID"] == "7")
        let given: JSON.Object = ["SERVER_NAME": "a", "WORLD_NAME": "b", "PASSWORD": "c", "STEAM_ID": "896661"]
        #expect(try fixed.applying(given).environment["STEAM_ID"] == "896661")
        var others = given
        others["STEAM_ID"] = "1"
        #expect(throws: PlanError.self) { try fixed.applying(others) }
    }

    @Test func `all required settings must be given, unknown ones are refused by name`() throws {
        let plan = try PlanCatalogue(path: Testbed.samplePlans.path()).plan("threeports")
        #expect(throws: PlanError.missingSettings(["WORLD_NAME", "PASSWORD"])) {
            try plan.applying(["SERVER_NAME": "a"])
        }
        #expect(throws: PlanError.missingSettings(["PASSWORD"])) {
            try plan.applying(["SERVER_NAME": "a", "WORLD_NAME": "b", "PASSWORD": nil])
        }
        #expect(throws: PlanError.unknownSettings(["WORLD"])) {
            try plan.applying(["SERVER_NAME": "a", "WORLD_NAME": "b", "PASSWORD": "c", "WORLD": "d"])
        }
        #expect(throws: PlanError.self) {
            try plan.applying(["SERVER_NAME": ["a"], "WORLD_NAME": "b", "PASSWORD": "c"])
        }
    }

    @Test func `files are mounted where they exist, and an empty list is no settings`() throws {
        let without = try Self.container("withfiles")
        let with = try Self.container("withfiles") { $0 == "ServerHostSettings.json" }
        #expect(with.mounts.count == without.mounts.count + 1)
        #expect(with.mounts.last?.source == "/srv/withfiles/one/ServerHostSettings.json")
        #expect(with.fingerprint != without.fingerprint)
        #expect(try Self.config("withfiles").plan.environment.members.isEmpty)
    }

    @Test func `the settings of a plan are answered as PEON answers them`() throws {
        let report = try PlanCatalogue(path: Testbed.samplePlans.path()).plan("threeports").settingsReport.text()
        #expect(
            report
                == #"{"SERVER_NAME":"","WORLD_NAME":"","PASSWORD":"","description":"Three groups of one port each, numbered in a row: one server's three ports."}"#
        )
    }
}
