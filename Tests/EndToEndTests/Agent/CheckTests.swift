import Foundation
import Glibc
import OrcContract
import OrcCore
import Subprocess
import SystemPackage
import Testbed
import Testing

extension EndToEnd {
    /// `orc check` says what is wrong, and what to do.
    @Suite struct CheckTests {
        /// The lines of a check, and whether all is well.
        private func check(_ rig: Rig, _ more: [String: String] = [:]) async throws -> (isGood: Bool, lines: [String]) {
            let changes = try OrcProcess.environment(root: rig.root, port: rig.brokerPort, host: rig.host)
                .merging(more) { _, given in given }
            let environment: [Environment.Key: String?] = Dictionary(
                uniqueKeysWithValues: changes.map { (Environment.Key(stringLiteral: $0.key), $0.value) })
            let result = try await Subprocess.run(
                .path(FilePath(Testbed.program)), arguments: ["check"], environment: .inherit.updating(environment),
                output: .string(limit: 1 << 20), error: .string(limit: 1 << 20))
            #expect(result.standardError == "")
            let lines = result.standardOutput.split(separator: "\n").map(String.init)
            return (result.terminationStatus.isSuccess, lines)
        }

        /// A port at which something listens that is no bridge.
        private struct TakenPort {
            private let descriptor: Int32

            init(_ port: Int) throws {
                descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
                var address = sockaddr_in()
                address.sin_family = sa_family_t(AF_INET)
                address.sin_port = in_port_t(UInt16(port).bigEndian)
                address.sin_addr.s_addr = inet_addr("127.0.0.1")
                let bound = withUnsafePointer(to: &address) {
                    $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                        bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
                    }
                }
                try #require(bound == 0 && listen(descriptor, 5) == 0)
            }

            func close() { Glibc.close(descriptor) }
        }

        private func wrong(_ lines: [String]) -> [String] { lines.filter { $0.hasPrefix("wrong") } }

        /// Runs `body` where the broker allows everybody what the lines say, beside what a test itself needs.
        private func withRights(
            _ lines: String, _ body: @escaping @Sendable (Rig, Probe) async throws -> Void
        ) async throws {
            try await Rig.with(broker: "allow_anonymous true") { rig in
                try rig.installGame()
                try lines.replacing("HOST", with: rig.host).write(
                    to: rig.root.appending(path: "acl"), atomically: true, encoding: .utf8)
                try await rig.endBroker()
                try await rig.startBroker("allow_anonymous true\nacl_file FOLDER/acl")
                try await rig.withProbe { probe in
                    try await rig.startAgent()
                    try await within(.seconds(10), "the agent") {
                        while (try? rig.logged("online host"))?.isEmpty ?? true {
                            try await Task.sleep(for: .milliseconds(50))
                        }
                    }
                    try await body(rig, probe)
                }
            }
        }

        @Test func `all is well where it is, and an agent that is gone is told from one that never was`() async throws {
            try await Rig.with { rig in
                try rig.installGame()
                let before = try await check(rig)
                #expect(!before.isGood)
                #expect(
                    before.lines.contains { $0.contains("the agent of \(rig.host) does not: start it with orc run") })
                try await rig.withProbe { probe in
                    try await rig.startAgent()
                    try await probe.isOnline()
                    #expect(try await probe.send(.create, "game.a").status == .ok)
                }
                let well = try await check(rig)
                #expect(well.isGood, "\(well.lines)")
                #expect(well.lines.contains { $0.contains("and the agent answer in") })
                #expect(well.lines.contains { $0.hasPrefix("ok    the disk of") })
                try await rig.withProbe { probe in _ = try await probe.send(.eradicate, "game-a") }
                try await rig.endAgent(SIGTERM)
                #expect(wrong(try await check(rig).lines).contains { $0.contains("(stopped): start it") })
            }
        }

        @Test func `reports that the broker refuses are named`() async throws {
            let rights = """
                topic readwrite peon/HOST/cmd/#
                topic readwrite peon/HOST/reply/#
                topic readwrite peon/HOST/result/#
                topic readwrite peon/HOST/status/agent
                topic readwrite peon/HOST/status/health
                """
            try await withRights(rights) { rig, probe in
                try await probe.report(probe.topics.status(.health), "the denials") {
                    ($0["bus"]?["denied"]?.int ?? 0) > 0
                }
                let lines = wrong(try await check(rig).lines)
                #expect(
                    lines.contains { $0.contains("does not let the agent use") && $0.contains("access list") },
                    "\(lines)")
                #expect(lines.contains { $0.contains("does not tell 3 of 5 reports") && $0.contains("status/info") })
            }
        }

        @Test func `an agent that does not hear is told from one that does not run`() async throws {
            try await withRights("topic readwrite peon/HOST/status/#\ntopic write peon/HOST/#") { rig, _ in
                let lines = wrong(try await check(rig).lines)
                #expect(
                    lines.count == 1 && lines[0].contains("says that it is there, and its answers do not come"),
                    "\(lines)")
            }
        }

        @Test func `a refusal that is mended is no longer told`() async throws {
            let rights = """
                topic readwrite peon/HOST/cmd/#
                topic readwrite peon/HOST/reply/#
                topic readwrite peon/HOST/status/agent
                topic readwrite peon/HOST/status/health
                """
            try await withRights(rights) { rig, probe in
                try await probe.report(probe.topics.status(.health), "the refusals") {
                    ($0["bus"]?["refused"]?.int ?? 0) > 0
                }
                try "topic readwrite peon/#".write(
                    to: rig.root.appending(path: "acl"), atomically: true, encoding: .utf8)
                try await rig.endBroker()
                try await rig.startBroker("allow_anonymous true\nacl_file FOLDER/acl")
                try await rig.withProbe { probe in
                    try await probe.isOnline()
                    try await probe.report(probe.topics.status(.health), "no refusal", limit: .seconds(70)) {
                        ($0["bus"]?["denied"]?.int ?? 0) > 0 && $0["bus"]?["refused"]?.int == 0
                    }
                }
                let lines = wrong(try await check(rig).lines)
                #expect(!lines.contains { $0.contains("access list") }, "\(lines)")
            }
        }

        @Test func `a bridge that does not answer, and a server without its settings, are named`() async throws {
            try await Rig.with { rig in
                try rig.installGame()
                let http = Testbed.freePort()
                let settings = ["ORC_HTTP_LISTEN": "127.0.0.1:\(http)", "API_KEY": "0123456789abcdef"]
                let taken = try TakenPort(http)
                try await rig.startAgent(settings)
                try await rig.withProbe { probe in
                    try await probe.isOnline()
                    #expect(try await probe.send(.create, "game.a", ["start_later": true]).status == .ok)
                }
                let config = rig.root.appending(path: "servers/game/a/config.json")
                try FileManager.default.moveItem(at: config, to: config.appendingPathExtension("gone"))
                let lines = wrong(try await check(rig, settings).lines)
                #expect(
                    lines.contains { $0.contains("the REST bridge does not answer at 127.0.0.1:\(http)") }, "\(lines)")
                #expect(lines.contains { $0.contains("game.a has no config.json") }, "\(lines)")
                try FileManager.default.moveItem(at: config.appendingPathExtension("gone"), to: config)
                taken.close()
                try await within(.seconds(10), "the bridge") {
                    while try await !check(rig, settings).lines.contains(where: { $0.contains("bridge listens at") }) {
                        try await Task.sleep(for: .milliseconds(200))
                    }
                }
                #expect(wrong(try await check(rig, settings).lines).isEmpty)
                try await rig.withProbe { probe in _ = try await probe.send(.eradicate, "game-a") }
            }
        }

        @Test func `an agent that hears commands for itself alone is named`() async throws {
            let rights =
                "topic read peon/HOST/cmd/agent/#\ntopic write peon/HOST/#\ntopic read peon/HOST/reply/#\ntopic read peon/HOST/status/#"
            try await withRights(rights) { rig, _ in
                let lines = wrong(try await check(rig).lines)
                #expect(lines.contains { $0.contains("does not hear commands for servers: let it read") }, "\(lines)")
            }
        }

        @Test func `what compose_yaml says lets the agent in with the shipped access list`() async throws {
            try await Rig.with { rig in
                try rig.installGame()
                let folder = rig.root.appending(path: "config/mosquitto")
                try FileManager.default.createDirectory(
                    at: folder.deletingLastPathComponent(), withIntermediateDirectories: true)
                try FileManager.default.copyItem(
                    at: Testbed.package.appending(path: "config/mosquitto"), to: folder)
                let compose = try String(
                    contentsOf: Testbed.package.appending(path: "compose.yaml"), encoding: .utf8)
                let recipe = try #require(compose.firstMatch(of: /(?m)^#   (sed .*)$/)).1
                let script = "cd \"$1\" && \(recipe.replacing("games", with: rig.host))"
                try await output("sh", ["-c", script, "sh", rig.root.path()])
                try await output("mosquitto_passwd", ["-c", "-b", folder.path() + "/passwd", rig.host, "secret"])
                try "secret".write(to: folder.appending(path: "agent.password"), atomically: true, encoding: .utf8)
                try await rig.endBroker()
                let place = "FOLDER/config/mosquitto"
                try await rig.startBroker(
                    "allow_anonymous false\npassword_file \(place)/passwd\nacl_file \(place)/acl")
                let settings = [
                    "ORC_MQTT_URL": "mqtt://\(rig.host)@127.0.0.1:\(rig.brokerPort)",
                    "ORC_MQTT_PASSWORD_FILE": folder.path() + "/agent.password",
                ]
                try await rig.startAgent(settings)
                try await within(.seconds(10), "the agent") {
                    while (try? rig.logged("online host"))?.isEmpty ?? true {
                        try await Task.sleep(for: .milliseconds(50))
                    }
                }
                let found = try await check(rig, settings)
                #expect(found.isGood, "\(found.lines)")
            }
        }

        @Test func `calls that a proxy of the engine's socket denies are named`() async throws {
            let rule = """
                import re
                def passes(data, isAsked, sockets):
                    if isAsked and re.match(rb"[A-Z]+ (/v[0-9.]+)?/networks", data) or re.search(rb"/exec HTTP|/containers/create", data[:200]):
                        page = b"<html>no</html>"
                        sockets[0].sendall(b"HTTP/1.1 403 Forbidden\\r\\nContent-Length: %d\\r\\n\\r\\n%s" % (len(page), page))
                        return b""
                    return data
                """
            try await EngineProxy.with(rule, []) { host in
                try await Rig.with { rig in
                    let lines = wrong(try await check(rig, ["DOCKER_HOST": host]).lines)
                    let denied = lines.filter { $0.contains("calls of the engine are denied") }
                    #expect(denied.count == 1, "\(lines)")
                    #expect(
                        denied[0].contains(
                            "GET /networks, GET /networks/…, POST /networks/create, DELETE /networks/…, POST /containers/create, POST /containers/…/exec:"
                        ))
                }
            }
        }

        @Test func `a full disk is named`() async throws {
            try await Rig.with { rig in
                let disk = rig.root.path()
                try #require(mount("none", disk, "tmpfs", 0, "size=3m") == 0)
                defer { umount2(disk, Int32(MNT_DETACH)) }
                let lines = wrong(try await check(rig).lines)
                #expect(lines.contains { $0.contains("MiB free: hardly anything can be saved") }, "\(lines)")
            }
        }
    }
}
