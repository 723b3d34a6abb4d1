import Foundation
import OrcContract
import OrcCore
import Testbed
import Testing

/// Plans that come by themselves, from a repository of the test's own.
extension EndToEnd {
    @Suite struct PlanUpdateTests {
        private func plan(_ game: String, version: String) -> String {
            #"""
            {"metadata":{"game_uid":"\#(game)","image":"orc-test/game"},"environment":{"READY_AFTER":"0","V":"\#(version)"},
            "volumes":{"~!/data":"/data"}}
            """#
        }

        private func publish(_ game: String, version: String, in repository: URL) async throws {
            let folder = repository.appending(path: game)
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
            let text = plan(game, version: version)
            try text.write(to: folder.appending(path: "plan.json"), atomically: true, encoding: .utf8)
            for words in [
                ["init", "-q"], ["add", "-A"], ["-c", "user.name=t", "-c", "user.email=t@t", "commit", "-qm", "x"],
            ] {
                try await output("git", ["-C", repository.path()] + words)
            }
        }

        private func version(of name: String, _ game: String, _ orc: OrcProcess) throws -> String? {
            let file = orc.root.appending(path: "servers/\(game)/\(name)/config.json")
            return try JSON.parse(Array(try Data(contentsOf: file)))["environment"]?["V"]?.string
        }

        @Test func `plans come at the first start and before a creation, and a repository that is away holds up none`()
            async throws
        {
            try await Testbed.withFolder { folder in
                let repository = folder.appending(path: "repository")
                try await publish("one", version: "1", in: repository)
                let settings = ["ORC_PLANS_URL": repository.path(), "ORC_PLANS_UPDATE": "create"]
                try await OrcProcess.with(settings: settings) { orc in
                    let topic = orc.probe.topics.status(.plans)
                    try await orc.probe.report(topic, "the plans") { $0["plans"]?.array?.count == 1 }
                    // A plan that is new is fetched as it is asked for.
                    try await Task.sleep(for: .seconds(2))
                    try await publish("two", version: "1", in: repository)
                    let camps = ["a", "b", "c"].map { "\($0)\(UUID().uuidString.prefix(6).lowercased())" }
                    let servers = [
                        ServerID(game: "two", name: camps[0])!, ServerID(game: "one", name: camps[1])!,
                        ServerID(game: "one", name: camps[2])!,
                    ]
                    #expect(try await orc.probe.send(.create, servers[0].uid).status == .ok)
                    // One that is newer too; what its owner changed stays.
                    try await publish("one", version: "2", in: repository)
                    try await Task.sleep(for: .seconds(10))
                    #expect(try await orc.probe.send(.create, servers[1].uid).status == .ok)
                    #expect(try version(of: camps[1], "one", orc) == "2")
                    let own = plan("one", version: "mine")
                    try own.write(
                        to: orc.root.appending(path: "plans/one/plan.json"), atomically: true, encoding: .utf8)
                    try await publish("one", version: "3", in: repository)
                    try await Task.sleep(for: .seconds(10))
                    #expect(try await orc.probe.send(.create, servers[2].uid).status == .ok)
                    #expect(try version(of: camps[2], "one", orc) == "mine")
                    // Away: what is here will do, and what is not is said.
                    try FileManager.default.moveItem(at: repository, to: folder.appending(path: "away"))
                    try await Task.sleep(for: .seconds(10))
                    let last = ServerID(game: "two", name: "d\(camps[0])")!
                    let begun = ContinuousClock.now
                    #expect(try await orc.probe.send(.create, last.uid).status == .ok)
                    #expect(ContinuousClock.now - begun < .seconds(8))
                    #expect(try await orc.probe.send(.create, "three.x").code == .unknownPlan)
                    await orc.clean(servers + [last])
                }
            }
        }
    }
}
