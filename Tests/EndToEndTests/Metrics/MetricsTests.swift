import Foundation
import OrcContract
import OrcCore
import OrcDocker
import OrcMQTT
import Testbed
import Testing

extension EndToEnd {
    /// What servers and the machine use, as the bus tells it.
    @Suite struct MetricsTests {
        private static let server = ServerID(uid: "game.a")!
        private static let container = "peon.warcamp.game.a"

        /// Runs `body` with an agent that measures each second, and one server of the stand-in game.
        private static func withServer(
            _ settings: [String: String] = [:], broker: String = "allow_anonymous true",
            _ body: @escaping @Sendable (Rig, Probe) async throws -> Void
        ) async throws {
            // Half a core: a spinner takes the same, whatever else the machine is at.
            let orc: JSON = ["restart": "never", "resources": ["cpus": .number("0.5")]]
            try await Rig.withServer(
                server, settings: ["ORC_METRICS_INTERVAL": "1s"].merging(settings) { $1 }, broker: broker, orc: orc,
                body)
        }

        private static func metrics(
            _ probe: Probe, _ what: String, after mark: Int = 0, limit: Duration = .seconds(15),
            where isWanted: @escaping @Sendable (JSON) -> Bool = { _ in true }
        ) async throws -> JSON {
            try await probe.report(
                probe.topics.status(server, .metrics), what, after: mark, limit: limit, where: isWanted)
        }

        /// A one-core spinner and a reader of 100 MiB of cache, as `docker stats` and the agent see them.
        private static func compare(_ rig: Rig, _ probe: Probe) async throws {
            try await rig.docker("exec", "-d", container, "sh", "-c", "while :; do :; done")
            try await rig.docker(
                "exec", container, "sh", "-c",
                "dd if=/dev/zero of=/tmp/big bs=1M count=100; sync; dd if=/tmp/big of=/dev/null bs=1M")
            try await Task.sleep(for: .seconds(2))
            let mark = probe.mark
            let words = try await rig.docker(
                "stats", "--no-stream", "--format", "{{.CPUPerc}} {{.MemUsage}} {{.PIDs}}", container
            ).split(separator: " ").map(String.init)
            let theirs = try #require(Double(words[0].dropLast()))
            let memory = try #require(bytes(words[1]))
            let ours = try await metrics(probe, "a reading", after: mark) { $0["cpu_percent"]?.double != nil }
            #expect(abs(try #require(ours["cpu_percent"]?.double) - theirs) < 5, "\(ours.text()) \(words)")
            #expect(abs((ours["memory_bytes"]?.double ?? 0) / memory - 1) < 0.02, "\(ours.text()) \(words)")
            let whole = try await rig.docker("exec", container, "sh", "-c", "du -s -k /tmp/big | cut -f1")
            #expect(Int(whole.trimmingCharacters(in: .whitespacesAndNewlines)).map { $0 > 100_000 } == true)
            #expect(ours["memory_bytes"]?.int.map { $0 < 60 << 20 } == true, "the cache is not counted")
            #expect(ours["pids"]?.int.map(String.init) == words.last?.trimmingCharacters(in: .whitespacesAndNewlines))
            #expect(ours["memory_limit_bytes"]?.int.map { $0 > 1 << 30 } == true)
            #expect(ours["interval_s"]?.double.map { (0.5...3).contains($0) } == true)
        }

        /// Of `3.125MiB`, bytes.
        private static func bytes(_ text: String) -> Double? {
            for (unit, factor) in [("KiB", 1024.0), ("MiB", 1_048_576), ("GiB", 1_073_741_824), ("B", 1)]
            where text.hasSuffix(unit) {
                return Double(text.dropLast(unit.count)).map { $0 * factor }
            }
            return nil
        }

        @Test func `a spinner and a reader of cache are measured as docker stats measures them, from the kernel`()
            async throws
        {
            try await Self.withServer { rig, probe in
                try await Self.compare(rig, probe)
                // The first figures come with the start, not an interval later.
                let reply = try await probe.send(.stats, Self.server.sid)
                #expect(reply.data["metrics"]?["pids"]?.int != nil && reply.data["raw"] == nil)
                #expect(reply.data["uptime_s"]?.int != nil && reply.data["memory_percent"]?.double != nil)
                #expect(reply.took.map { $0 < 900 } == true, "no second reading is waited for")
            }
        }

        /// An engine whose processes are not this machine's, as one on another machine.
        @Test func `the same by the engine's own documents, where the kernel does not show it`() async throws {
            try await Self.withFarEngine { rig, probe in
                try await Self.compare(rig, probe)
                let reply = try await probe.send(.stats, Self.server.sid, ["raw": true])
                #expect(reply.data["raw"]?["read"]?.string?.hasPrefix("20") == true)
                #expect(
                    reply.data["metrics"]?["cpu_percent"]?.double.map { abs($0 - 50) < 10 } == true,
                    "\(reply.data.text())")
            }
        }

        /// No process of it is known here; where it is asked for figures, a file grows.
        private static let far = """
            def passes(data, isAsked, sockets):
                if isAsked and b"one-shot" in data: open(sys.argv[4], "a").write("x")
                return data if isAsked else re.sub(rb'"Pid":\\d+', lambda m: b'"Pid":' + b'9' * (len(m[0]) - 6), data)
            """

        private static func withFarEngine(_ body: @escaping @Sendable (Rig, Probe) async throws -> Void) async throws {
            try await Testbed.withFolder { folder in
                let asked = folder.appending(path: "asked")
                try await EngineProxy.with(far, [asked.path()]) { host in
                    try await withServer(["DOCKER_HOST": host], body)
                    let count = try String(contentsOf: asked, encoding: .utf8).count
                    #expect(count > 2, "the engine was asked")
                }
            }
        }

        @Test func `a run that ends takes its figures with it, and the next begins anew`() async throws {
            try await Self.withServer { rig, probe in
                let topic = probe.topics.status(Self.server, .metrics)
                _ = try await Self.metrics(probe, "figures") { $0["cpu_percent"]?.double != nil }
                let mark = probe.mark
                try await rig.docker("exec", "-d", Self.container, "sh", "-c", "while :; do :; done")
                _ = try await Self.metrics(probe, "work", after: mark) { ($0["cpu_percent"]?.double ?? 0) > 25 }
                let before = probe.mark
                try await rig.docker("kill", Self.container)
                _ = try await probe.next(after: before, "the figures' end", limit: .seconds(2)) {
                    $0.topic == topic && $0.payload.isEmpty
                }
                try await probe.state(of: Self.server, "stopped", after: before)
                let stopped = try await probe.send(.stats, Self.server.sid)
                #expect(stopped.data["metrics"] == .null && stopped.data["uptime_s"] == .null)
                try await Task.sleep(for: .seconds(2))
                let down = probe.messages.dropFirst(before).filter { $0.topic == topic && !$0.payload.isEmpty }
                let death = try await probe.report(of: Self.server, "its end", after: before) {
                    $0["container_state"] == "exited"
                }
                let ended = try #require(death["ts"].flatMap(Timestamp.date))
                for message in down {
                    let at = (try? JSON.parse(message.payload))?["ts"].flatMap(Timestamp.date)
                    #expect(at.map { $0 <= ended } == true, "figures of a server that was down")
                }
                let again = probe.mark
                try await rig.docker("start", Self.container)
                let first = try await Self.metrics(probe, "the next run", after: again)
                #expect(first["cpu_percent"] == .null && first["interval_s"] == .null)
                let next = try await Self.metrics(probe, "its speed", after: again) { $0["cpu_percent"]?.double != nil }
                #expect((0...25).contains(next["cpu_percent"]?.double ?? -1), "\(next.text())")
            }
        }

        @Test func `figures are retained with an end where the broker knows one, and else not at all`() async throws {
            @Sendable func isRetained(_ rig: Rig) async throws -> Bool {
                try await rig.withProbe { late in
                    let topic = late.topics.status(Self.server, .metrics)
                    _ = try await late.next(after: 0, "figures", limit: .seconds(10)) { $0.topic == topic }
                    return late.messages.first { $0.topic == topic }?.isRetained == true
                }
            }
            try await Self.withServer { rig, probe in
                _ = try await Self.metrics(probe, "figures")
                #expect(try await isRetained(rig))
                try await rig.endAgent()
                // When they expire the broker drops them.
                try await Task.sleep(for: .seconds(7))
                try await rig.withProbe { late in
                    try await late.report(late.topics.status(Self.server, .state), "the rest") { _ in true }
                    try await Task.sleep(for: .seconds(1))
                    #expect(late.newest(late.topics.status(Self.server, .metrics)) == nil)
                }
            }
            try await Self.withServer(["ORC_MQTT_VERSION": "3.1.1", "ORC_METRICS_INTERVAL": "2s"]) { rig, probe in
                _ = try await Self.metrics(probe, "figures")
                #expect(try await !isRetained(rig))
            }
        }

        @Test func `who watches a server hears of it each second, and no longer than that`() async throws {
            try await Self.withServer(["ORC_METRICS_INTERVAL": "1h"]) { rig, probe in
                _ = try await Self.metrics(probe, "the first") { $0["interval_s"]?.double != nil }
                try await Task.sleep(for: .seconds(3))
                let quiet = probe.mark
                try await Task.sleep(for: .seconds(2))
                let topic = probe.topics.status(Self.server, .metrics)
                #expect(!probe.messages.dropFirst(quiet).contains { $0.topic == topic })
                let watched = try await probe.send(.stats, Self.server.sid, ["watch": 3])
                #expect(watched.status == .ok && watched.data["metrics"]?["cpu_seconds"]?.double != nil)
                try await Task.sleep(for: .seconds(6))
                let heard = probe.messages.dropFirst(quiet).filter { $0.topic == topic }.count
                #expect((2...5).contains(heard), "\(heard)")
                for wrong: JSON in [601, -1, "x"] {
                    #expect(try await probe.send(.stats, Self.server.sid, ["watch": wrong]).code == .badArguments)
                }
            }
        }

        @Test func `the machine is reported, and warns once of what gets short`() async throws {
            try await Rig.with(settings: ["ORC_METRICS_INTERVAL": "1s", "ORC_WARN_DISK": "0.001"]) { rig in
                try await rig.withProbe { probe in
                    try await rig.startAgent()
                    try await probe.isOnline()
                    let report = try await probe.report(probe.topics.status(.host), "a full report") {
                        $0["disks"]?.array?.count == 2 && $0["cpu_percent"]?.double != nil
                    }
                    #expect(report["warnings"] == ["servers_disk", "backups_disk"])
                    #expect(report["cpus"]?.int.map { $0 > 0 } == true && report["load"]?.array?.count == 3)
                    let total = try #require(report["memory_total_bytes"]?.int)
                    let used = try #require(report["memory_bytes"]?.int)
                    #expect((1..<total).contains(used))
                    try await Task.sleep(for: .seconds(3))
                    let events = probe.messages.filter { $0.topic == probe.topics.agentEvent }
                        .compactMap { try? JSON.parse($0.payload) }.filter { $0["event_type"] == "warning" }
                    #expect(events.count == 2)
                    #expect(
                        events.compactMap { $0["data"]?["warning"]?.string }.sorted() == [
                            "backups_disk", "servers_disk",
                        ])
                    #expect(events.first?["data"]?["limit"]?.double != nil)
                }
            }
        }

        @Test func `who watches many servers, and asks again and again, disturbs no reading`() async throws {
            try await Self.withServer(["ORC_METRICS_INTERVAL": "1h"]) { rig, probe in
                let second = ServerID(uid: "game.b")!
                #expect(try await probe.send(.create, second.uid).status == .ok)
                try await Task.sleep(for: .seconds(4))
                let mark = probe.mark
                for _ in 0..<60 {
                    for server in [Self.server, second] {
                        probe.publish(
                            OutgoingMessage(probe.topics.command(.stats, server.sid), Array(#"{"watch":30}"#.utf8)))
                    }
                    try await Task.sleep(for: .milliseconds(100))
                }
                // A restart in between ends no watch.
                #expect(try await probe.send(.restart, second.sid, ["grace": 1]).status == .ok)
                let after = probe.mark
                try await Task.sleep(for: .seconds(6))
                let topic = probe.topics.status(Self.server, .metrics)
                let heard = probe.messages.dropFirst(mark).filter { $0.topic == topic }
                    .compactMap { try? JSON.parse($0.payload) }
                #expect(heard.count > 5)
                for report in heard.dropFirst() {
                    #expect(report["interval_s"]?.double.map { $0 > 0.7 } == true, "\(report.text())")
                }
                let again = probe.messages.dropFirst(after).filter { $0.topic == probe.topics.status(second, .metrics) }
                #expect(again.count >= 4, "\(again.count)")
            }
        }

        @Test func `a server that ended while the agent was away has no figures left`() async throws {
            try await Self.withServer { rig, probe in
                let topic = probe.topics.status(Self.server, .metrics)
                _ = try await Self.metrics(probe, "figures")
                try await rig.endAgent()
                try await rig.docker("kill", Self.container)
                let mark = probe.mark
                try await rig.startAgent(["ORC_METRICS_INTERVAL": "1h"])
                _ = try await probe.next(after: mark, "the figures' end", limit: .seconds(10)) {
                    $0.topic == topic && $0.payload.isEmpty
                }
            }
        }

        @Test func `figures come with every start`() async throws {
            try await Self.withServer(["ORC_METRICS_INTERVAL": "1h"]) { rig, probe in
                for _ in 0..<12 {
                    #expect(try await probe.send(.kill, Self.server.sid).status == .ok)
                    let mark = probe.mark
                    #expect(try await probe.send(.start, Self.server.sid).status == .ok)
                    _ = try await Self.metrics(probe, "figures", after: mark, limit: .seconds(5))
                }
            }
        }

        @Test func `top shows what runs, once in a pipe`() async throws {
            try await OrcProcess.with(prepare: { root in
                try OrcProcess.installPlan("game", BridgeRig.game.text(), in: root)
            }) { orc in
                let created = try await orc.probe.send(.create, Self.server.uid, ["NAME": "x"])
                #expect(created.status == .ok)
                let environment = try OrcProcess.environment(root: orc.root, port: orc.broker.port, host: orc.host)
                let text = try await output(Testbed.program, ["top"], environment: environment)
                let lines = text.split(separator: "\n").map(String.init)
                #expect(lines.first?.contains("agent online, cpu ") == true, "\(text)")
                let row = try #require(lines.last).split { $0 == " " }.map(String.init)
                #expect(row.count == 13 && row[0] == Self.server.uid && row[1] == "running", "\(text)")
                #expect(
                    Double(row[2]) != nil && row[3].last.map("KM".contains) == true && Int(row[11]) != nil, "\(text)")
                _ = try await orc.probe.send(.kill, Self.server.uid)
                let down = try await output(Testbed.program, ["top", Self.server.uid], environment: environment)
                #expect(
                    down.split(separator: "\n").last?.split { $0 == " " }.dropFirst(2).allSatisfy { $0 == "-" } == true)
                await orc.clean([Self.server])
            }
        }
    }
}
