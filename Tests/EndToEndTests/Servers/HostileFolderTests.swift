import Foundation
import Glibc
import OrcContract
import OrcCore
import OrcDocker
import OrcMQTT
import Testbed
import Testing

/// Folders that a game, a user of the machine, or the owner's own mounts have made dangerous.
extension EndToEnd {
    @Suite struct HostileFolderTests {
        private func plan(_ extra: String = "") -> String {
            #"""
            {"metadata":{"game_uid":"game","image":"orc-test/game"},"environment":{"READY_AFTER":"0"},
            "volumes":{"~!/data":"/data"},"orc":{"restart":"never"}\#(extra)}
            """#
        }

        private func withServer(
            _ extra: String = "", _ body: @escaping @Sendable (OrcProcess, ServerID, URL) async throws -> Void
        ) async throws {
            let text = plan(extra)
            try await OrcProcess.with(prepare: { try OrcProcess.installPlan("game", text, in: $0) }) { orc in
                let server = ServerID(game: "game", name: "f\(UUID().uuidString.prefix(6).lowercased())")!
                let created = try await orc.probe.send(.create, server.uid)
                #expect(created.status == .ok, "\(created.error ?? "")")
                let folder = orc.root.appending(path: "servers/game/\(server.name)")
                do { try await body(orc, server, folder) } catch {
                    await orc.clean([server])
                    throw error
                }
                await orc.clean([server])
            }
        }

        private func uid(_ file: URL) -> UInt32 {
            var status = stat()
            return lstat(file.path(), &status) == 0 ? status.st_uid : .max
        }

        /// Plans that are read, and of which no container can be made.
        private static let nonsense = [
            #""environment": {"": "x"}"#, #""volumes": {"~!/data": "/"}"#, #""volumes": {"~!/data": "/proc"}"#,
            #""orc": {"resources": {"cpus": 1000}}"#, #""orc": {"security": {"user": "nobody2"}}"#,
            #""orc": {"security": {"user": "99999999999"}}"#, #""orc": {"security": {"cap_add": ["NOPE"]}}"#,
        ]

        @Test func `an eradication stops nothing and removes nothing where something is mounted`() async throws {
            try await withServer { orc, server, folder in
                let nas = folder.appending(path: "data/nas")
                try FileManager.default.createDirectory(at: nas, withIntermediateDirectories: true)
                try #require(Glibc.mount("none", nas.path(), "tmpfs", 0, nil) == 0)
                defer { umount2(nas.path(), Int32(MNT_DETACH)) }
                try "x".write(to: nas.appending(path: "precious"), atomically: false, encoding: .utf8)
                let refused = try await orc.probe.send(.eradicate, server.sid)
                #expect(refused.code == .unsafeEntry && refused.error?.contains("data/nas") == true)
                #expect(FileManager.default.fileExists(atPath: nas.appending(path: "precious").path()))
                #expect(try await orc.probe.send(.get, server.sid).data["container_state"] == "running")
                umount2(nas.path(), Int32(MNT_DETACH))
                #expect(try await orc.probe.send(.eradicate, server.sid).status == .ok)
                #expect(!FileManager.default.fileExists(atPath: folder.path()))
            }
        }

        @Test func `what the games' user writes into a configuration gives a container nothing`() async throws {
            try await withServer { orc, server, folder in
                let config = folder.appending(path: "config.json")
                #expect(uid(folder) == 0 && uid(config) == 0 && uid(folder.appending(path: "data")) == 1000)
                let good = try String(contentsOf: config, encoding: .utf8)
                // As an earlier release, or PEON's orchestrator, left it: the games' user may write it.
                for (from, to) in [
                    (#""~!/data": "/data""#, #""~!/data": "/data", "/etc": "/host/etc""#),
                    (#""restart": "never""#, #""restart": "never", "security": {"user": "0:0"}"#),
                    (#""image": "orc-test/game""#, #""image": "orc-test/health""#),
                ] {
                    let bad = good.replacingOccurrences(of: from, with: to)
                    try #require(bad != good)
                    try bad.write(to: config, atomically: true, encoding: .utf8)
                    chown(folder.path(), 1000, 1000)
                    chown(config.path(), 1000, 1000)
                    #expect(try await orc.probe.send(.stop, server.sid).status == .ok)
                    let refused = try await orc.probe.send(.start, server.sid)
                    #expect(refused.code == .unsafeEntry && refused.error?.contains("config.json") == true, "\(to)")
                }
                // What widens nothing is the owner's to change; the file becomes the agent's again.
                let harmless = good.replacingOccurrences(of: #""READY_AFTER": "0""#, with: #""READY_AFTER": "1""#)
                try harmless.write(to: config, atomically: true, encoding: .utf8)
                chown(config.path(), 1000, 1000)
                #expect(try await orc.probe.send(.start, server.sid).status == .ok)
                #expect(uid(config) == 0 && uid(folder) == 0)
                // And what root writes counts.
                let shared = orc.root.appending(path: "shared")
                try FileManager.default.createDirectory(at: shared, withIntermediateDirectories: true)
                let wide = good.replacingOccurrences(
                    of: #""~!/data": "/data""#, with: #""~!/data": "/data", "\#(shared.path())": "/shared""#)
                try wide.write(to: config, atomically: true, encoding: .utf8)
                chmod(config.path(), 0o600)
                #expect(try await orc.probe.send(.restart, server.sid).status == .ok)
                let detail = try await Testbed.engine().inspect("peon.warcamp.\(server.uid)")
                #expect(detail.mounts?.contains { $0.destination == "/shared" } == true)
            }
        }

        @Test func `a game that floods its own report neither swells nor hides it, and its reports come one a second`()
            async throws
        {
            try await withServer { orc, server, folder in
                let config = folder.appending(path: "config")
                try FileManager.default.createDirectory(at: config, withIntermediateDirectories: true)
                for index in 0..<500 {
                    let file = config.appending(path: String(format: "%03d", index))
                    try String(repeating: "€", count: 20_000).write(to: file, atomically: false, encoding: .utf8)
                }
                let topic = orc.probe.topics.status(server, .state)
                let report = try await orc.probe.report(topic, "the files", limit: .seconds(10)) {
                    $0["server_config"]?.object?.members.isEmpty == false
                }
                #expect(report.bytes.count < 24 << 10)
                try await orc.probe.state(of: server, "running")
                for name in try FileManager.default.contentsOfDirectory(atPath: config.path()) {
                    try FileManager.default.removeItem(at: config.appending(path: name))
                }
                let mark = orc.probe.mark
                for index in 0..<300 {
                    try "\(index)".write(to: config.appending(path: "000"), atomically: false, encoding: .utf8)
                    try await Task.sleep(for: .milliseconds(10))
                }
                let last = try await orc.probe.report(topic, "the last word", after: mark, limit: .seconds(10)) {
                    $0["server_config"]?["000"] == "299"
                }
                #expect(last["state"] == "running")
                let count = orc.probe.messages.dropFirst(mark).count { $0.topic == topic }
                #expect((1...9).contains(count), "\(count) reports")
            }
        }

        @Test func `a volume that was exchanged for a link is not mounted`() async throws {
            try await withServer { orc, server, folder in
                #expect(try await orc.probe.send(.stop, server.sid).status == .ok)
                let data = folder.appending(path: "data")
                try FileManager.default.moveItem(at: data, to: folder.appending(path: "old"))
                symlink("/etc", data.path())
                #expect(try await orc.probe.send(.start, server.sid).code == .unsafeEntry)
                unlink(data.path())
                try FileManager.default.moveItem(at: folder.appending(path: "old"), to: data)
                #expect(try await orc.probe.send(.start, server.sid).status == .ok)
            }
        }

        @Test func `a plan whose volumes lie in each other makes no server`() async throws {
            let text = plan().replacingOccurrences(
                of: #""~!/data":"/data""#, with: #""~!/data":"/data","~!/data/m":"/m""#)
            try await OrcProcess.with(prepare: { try OrcProcess.installPlan("game", text, in: $0) }) { orc in
                let refused = try await orc.probe.send(.create, "game.nested")
                #expect(refused.code == .unsafeEntry && refused.error?.contains("~!/data/m") == true)
                #expect(!FileManager.default.fileExists(atPath: orc.root.appending(path: "servers/game").path()))
            }
        }

        @Test func `a server may have a user of its own`() async throws {
            let text = plan().replacingOccurrences(
                of: #""restart":"never""#, with: #""restart":"never","security":{"user":"own"}"#)
            try await OrcProcess.with(prepare: { try OrcProcess.installPlan("game", text, in: $0) }) { orc in
                let servers = ["one", "two"].map {
                    ServerID(game: "game", name: "\($0)\(UUID().uuidString.prefix(4).lowercased())")!
                }
                var users: Set<String> = []
                for server in servers {
                    #expect(try await orc.probe.send(.create, server.uid).status == .ok)
                    let folder = orc.root.appending(path: "servers/game/\(server.name)")
                    let detail = try await Testbed.engine().inspect("peon.warcamp.\(server.uid)")
                    users.insert(detail.config.user ?? "")
                    #expect(
                        detail.config.user
                            == "\(uid(folder.appending(path: "data"))):\(uid(folder.appending(path: "data")))")
                    #expect(try await orc.probe.send(.stop, server.sid).status == .ok)
                    #expect(uid(folder.appending(path: "data/saved")) == uid(folder.appending(path: "data")))
                }
                #expect(users == ["2000000:2000000", "2000001:2000001"])
                await orc.clean(servers)
            }
        }

        @Test func `an image that is no image's name is refused, and an owner's mistake is no fault of the program`()
            async throws
        {
            try await withServer { orc, server, folder in
                for image in ["../x", "../containers/json?a=", "a&fromSrc=http://x", "Ok/Game:1", "", "x y"] {
                    let refused = try await orc.probe.send(.create, "game.bad", ["image": .string(image)])
                    #expect(refused.code == .badArguments && refused.error?.hasPrefix("image: ") == true, "\(image)")
                }
                let clash = try await orc.probe.send(.create, "game.bad", ["files": ["data": "x"]])
                #expect(clash.code == .badArguments || clash.code == .unsafeEntry, "\(clash.code as Any)")
                let config = folder.appending(path: "config.json")
                try "{\n\"a\": x}".write(to: config, atomically: true, encoding: .utf8)
                let run = try await Testbed.engine().inspect("peon.warcamp.\(server.uid)").state.startedAt
                for action in [ServerAction.description, .restart] {
                    let refused = try await orc.probe.send(action, server.sid, ["description": "x"])
                    #expect(refused.code == .badPlan)
                    #expect(
                        refused.error == "servers/game/\(server.name)/config.json: not valid JSON at line 2, column 6")
                }
                // What could not be started again has not been stopped.
                try FileManager.default.removeItem(at: config)
                #expect(try await orc.probe.send(.description, server.sid, ["description": "x"]).code == .conflict)
                let state = try await Testbed.engine().inspect("peon.warcamp.\(server.uid)").state
                #expect(state.status == "running" && state.startedAt == run)
                for (number, plan) in Self.nonsense.enumerated() {
                    let metadata = #""metadata": {"game_uid": "n\#(number)", "image": "orc-test/game"}"#
                    try orc.installPlan("n\(number)", "{\(metadata), \(plan)}")
                    let refused = try await orc.probe.send(.create, "n\(number).one")
                    #expect(
                        [.badPlan, .badArguments, .unsafeEntry].contains(refused.code),
                        "\(plan): \(refused.error ?? "ok")")
                }
                try orc.installPlan("broken", #"{"metadata":{"game_uid":"broken","image":"x"},"orc":{"redy":1}}"#)
                let broken = try await orc.probe.send(.create, "broken.one")
                #expect(broken.code == .badPlan && broken.error?.hasSuffix("did you mean ready?") == true)
            }
        }
    }
}
