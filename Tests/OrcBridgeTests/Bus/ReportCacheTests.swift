import FoundationEssentials
import NIOCore
import OrcContract
import OrcCore
import Synchronization
import Testing

@testable import OrcBridge

@Suite struct ReportCacheTests {
    private let host = HostName("h")!
    private let server = ServerID(uid: "a.b")!

    private func cache() -> ReportCache {
        let cache = ReportCache(replayBuffer: EventReplayBuffer())
        cache.linked()
        return cache
    }

    private func take(_ cache: ReportCache, _ path: String, _ json: JSON?) {
        guard path == "agent", var report = json?.object else {
            return cache.take(host, path: path, payload: json?.bytes ?? [])
        }
        report.merge(["instance": "i", "started": "2026-11-25T00:00:00Z", "ts": Timestamp.json(Date())])
        cache.take(host, path: path, payload: JSON.object(report).bytes)
    }

    @Test func `the last report counts, and an empty one is gone`() {
        let cache = cache()
        take(cache, "agent", ["state": "online"])
        #expect(cache.presence(of: host) == .online)
        take(cache, "agent", ["state": "offline", "reason": "lost"])
        #expect(cache.presence(of: host) == .offline(reason: "lost"))
        take(cache, "agent", nil)
        #expect(cache.presence(of: host) == .unknown && cache.hosts.isEmpty)
    }

    @Test func `what is taken away has no weight any more`() {
        let cache = cache()
        let empty = cache.size
        for _ in 0..<3 {
            take(cache, "server/a-b/state", ["state": "running"])
            take(cache, "server/a-b/state", ["state": "stopped", "description": "longer than before"])
            #expect(cache.size.reports == empty.reports + 1 && cache.size.bytes > empty.bytes)
            take(cache, "server/a-b/state", nil)
            #expect(cache.size.reports == empty.reports && cache.size.bytes == empty.bytes)
        }
    }

    @Test func `the same report is no news, and its tag is of its bytes`() {
        let cache = cache()
        take(cache, "info", ["orc": "1"])
        let first = cache.report(host, .info)
        take(cache, "info", ["orc": "1"])
        #expect(cache.replayBuffer.next == 2 && cache.version(of: host) == 1)
        take(cache, "info", ["orc": "2"])
        #expect(cache.report(host, .info)?.tag != first?.tag && cache.replayBuffer.next == 3)
    }

    @Test func `that a figure is gone is not lost among figures`() async {
        let cache = cache()
        take(cache, "server/a-b/metrics", ["cpu_percent": 7])
        let seen = cache.replayBuffer.next
        take(cache, "server/a-b/metrics", nil)
        for number in 0..<1000 { take(cache, "host", ["cpu_percent": .optional(number)]) }
        guard case .entries(let entries, _) = await cache.replayBuffer.batch(from: seen) else {
            Issue.record("none"); return
        }
        #expect(String(buffer: entries[0].frame).contains(#""payload":null"#))
    }

    @Test func `what is retained is told in pieces, the last word with a number`() {
        let cache = cache()
        let text = String(repeating: "x", count: 1000)
        for number in 0..<300 { take(cache, "server/a-\(number)/state", ["description": .string(text)]) }
        var snapshot = cache.snapshot { $0.server != ServerID(uid: "a.7") }
        // What comes later stands in the history.
        take(cache, "info", ["orc": "2"])
        var pieces: [String] = []
        while let piece = snapshot.piece() { pieces.append(String(buffer: piece)) }
        #expect(pieces.count > 4 && pieces.allSatisfy { $0.utf8.count < 70_000 })
        let words = pieces.joined().components(separatedBy: "\n\n").dropLast()
        #expect(words.count == 300 && words.first == "event: reset\ndata: {}")
        #expect(words.filter { $0.hasPrefix("id: ") } == [words.last].compactMap { $0 })
        #expect(words.last?.hasPrefix("id: \(cache.replayBuffer.epoch)-\(snapshot.next - 1)\nevent: report\n") == true)
        #expect(Set(words).count == 300 && !pieces.joined().contains("a-7/"))

        var empty = cache.snapshot { _ in false }
        #expect(empty.piece().map { String(buffer: $0).hasPrefix("id: ") } == true && empty.piece() == nil)
    }

    @Test func `what is no JSON object is left out`() {
        let cache = cache()
        for text in ["no", "[1]", "\"x\"", "{"] { cache.take(host, path: "info", payload: Array(text.utf8)) }
        #expect(cache.report(host, .info) == nil && cache.size.leftOut == 4)
    }

    @Test func `hosts and reports are bounded`() {
        let cache = ReportCache(replayBuffer: EventReplayBuffer(), maxBytes: 100_000)
        for index in 0..<5000 { cache.take(HostName("h\(index)")!, path: "agent", payload: Array("{}".utf8)) }
        #expect(cache.hosts.count == 4096)
        let big = JSON.object(["x": .string(String(repeating: "y", count: 9000))])
        for index in 0..<100 { take(cache, "x\(index)", big) }
        cache.take(HostName("h0")!, path: "big", payload: big.bytes)
        #expect(cache.size.bytes <= 100_000)
    }

    @Test func `a host that a broker has forgotten is offline, not gone`() {
        let cache = cache()
        take(cache, "agent", ["state": "online"])
        take(cache, "info", ["orc": "1"])
        cache.unlinked()
        cache.confirm(cache.linked())
        #expect(cache.presence(of: host) == .offline(reason: "lost") && cache.report(host, .info) != nil)
        take(cache, "agent", ["state": "online"])
        #expect(cache.presence(of: host) == .online)
    }

    @Test func `a report that cannot be read replaces what could`() {
        let cache = cache()
        take(cache, "info", ["orc": "1"])
        cache.take(host, path: "info", payload: Array("no".utf8))
        #expect(cache.report(host, .info) == nil)
    }

    @Test func `what the broker does not repeat after a new link has gone`() {
        let cache = cache()
        take(cache, "agent", ["state": "online"])
        take(cache, "info", ["orc": "1"])
        cache.confirm(1)
        cache.unlinked()
        #expect(!cache.isConfirmed && cache.report(host, .info) != nil)
        let link = cache.linked()
        take(cache, "agent", ["state": "online"])
        cache.confirm(1)
        #expect(cache.report(host, .info) != nil, "of another link")
        cache.confirm(link)
        #expect(cache.report(host, .info) == nil && cache.report(host, .agent) != nil && cache.isConfirmed)
    }

    @Test func `a server is as PEON's clients know it`() throws {
        let cache = cache()
        let path = "server/a-b/state"
        take(
            cache, path,
            [
                "state": "running", "container_state": "running", "container_type": "t", "build_version": nil,
                "server_config": ["ip": "1"], "description": nil, "next_stop": "2026-11-25T00:00:00Z",
            ])
        var object = try #require(cache.server(server, of: host)?.peonObject.object)
        #expect(
            object.keys.prefix(9) == [
                "game_uid", "servername", "container_type", "build_version", "container_state", "server_state",
                "server_config", "description", "time",
            ])
        #expect(object["container_type"] == "t" && object["build_version"] == "unknown")
        #expect(object["server_config"] == ["ip": "1"] && object["time"] == 1_795_564_800)
        take(cache, "server/a-b/availability", ["state": "offline"])
        object = try #require(cache.server(server, of: host)?.peonObject.object)
        #expect(object["server_state"] == "UNKNOWN" && object["server_config"] == ["state": "OFFLINE"])
        #expect(object["container_state"] == "unknown")
        take(cache, "server/a-b/availability", ["state": "online"])
        take(cache, path, ["state": "stopped", "container_state": "exited", "server_config": ["ip": "1"]])
        object = try #require(cache.server(server, of: host)?.peonObject.object)
        #expect(
            object["container_type"] == "unknown" && object["server_config"] == [:] && object["time"]?.isNull == true)
    }

    @Test func `a server that was never made is not listed, one whose container has gone is`() {
        let cache = cache()
        take(cache, "server/a-b/state", ["state": "stopped", "container_state": nil])
        #expect(cache.server(server, of: host)?.isListed == false)
        take(cache, "server/a-b/state", ["state": "missing", "container_state": nil])
        #expect(cache.server(server, of: host)?.isListed == true)
        #expect(cache.server(server, of: host)?.peonObject["container_state"] == "missing")
    }
}

@Suite struct EventReplayBufferTests {
    private let subject = EventReplayBuffer.Subject(host: HostName("h")!, path: "agent", kind: "report")

    @Test func `a reader gets what comes, in order`() async {
        let replayBuffer = EventReplayBuffer()
        replayBuffer.append(subject, event: "report", ["n": 1])
        guard case .entries(let entries, let next) = await replayBuffer.batch(from: 0) else {
            Issue.record("none"); return
        }
        #expect(entries.count == 1 && next == 1)
        #expect(String(buffer: entries[0].frame) == "id: \(replayBuffer.epoch)-0\nevent: report\ndata: {\"n\":1}\n\n")
        async let later = replayBuffer.batch(from: 1)
        replayBuffer.append(subject, event: "report", ["n": 2])
        guard case .entries(_, let end) = await later else { Issue.record("none"); return }
        #expect(end == 2)
    }

    @Test func `a reader that falls behind the history is dropped`() async {
        let replayBuffer = EventReplayBuffer()
        for number in 0..<1025 { replayBuffer.append(subject, event: "report", ["n": .optional(number)]) }
        guard case .over = await replayBuffer.batch(from: 0) else { Issue.record("goes on"); return }
        guard case .entries(let entries, _) = await replayBuffer.batch(from: 1) else { Issue.record("none"); return }
        #expect(entries.count == 64)
        #expect(
            replayBuffer.resumption(after: "\(replayBuffer.epoch)-0") == 1
                && replayBuffer.resumption(after: "\(replayBuffer.epoch)-1024") == 1025)
        #expect(
            replayBuffer.resumption(after: "\(replayBuffer.epoch)-1025") == nil
                && replayBuffer.resumption(after: "other-3") == nil)
        #expect(
            replayBuffer.resumption(after: "x") == nil
                && replayBuffer.resumption(after: "\(replayBuffer.epoch)--1") == nil)
        #expect(replayBuffer.resumption(after: "\(replayBuffer.epoch)-\(Int.max)") == nil)
        replayBuffer.breakOff()
        guard case .over = await replayBuffer.batch(from: 1025) else { Issue.record("goes on"); return }
    }

    @Test func `the history is bounded in bytes`() async {
        let replayBuffer = EventReplayBuffer()
        let large = JSON.object(["x": .string(String(repeating: "y", count: 600_000))])
        for _ in 0..<5 { replayBuffer.append(subject, event: "report", large) }
        #expect(
            replayBuffer.resumption(after: "\(replayBuffer.epoch)-0") == nil
                && replayBuffer.resumption(after: "\(replayBuffer.epoch)-3") == 4)
    }

    @Test func `a quiet reader is stirred, and all end when it closes`() async throws {
        let replayBuffer = EventReplayBuffer()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                guard case .quiet = await replayBuffer.batch(from: 0) else { Issue.record("not quiet"); return }
                guard case .over = await replayBuffer.batch(from: 0) else { Issue.record("not over"); return }
            }
            while replayBuffer.readers == 0 { try await Task.sleep(for: .milliseconds(1)) }
            replayBuffer.stir()
            while replayBuffer.readers == 0 { try await Task.sleep(for: .milliseconds(1)) }
            replayBuffer.close()
            try await group.waitForAll()
        }
    }

    @Test func `a reader that is cancelled ends`() async {
        let replayBuffer = EventReplayBuffer()
        let reader = Task { await replayBuffer.batch(from: 0) }
        while replayBuffer.readers == 0 { await Task.yield() }
        reader.cancel()
        guard case .over = await reader.value else { Issue.record("goes on"); return }
        #expect(replayBuffer.readers == 0)
    }
}

@Suite struct PrometheusTextTests {
    @Test(arguments: [
        ("plain", "plain"), ("a\"\u{301}", "a\\\"\u{301}"), ("\\\u{301}", "\\\\\u{301}"), ("1.2\r\n", "1.2 \\n"),
        ("\u{0}\u{1B}[2J", "  [2J"), (String(repeating: "x", count: 1000), String(repeating: "x", count: 256)),
    ])
    func `a label's value is escaped scalar by scalar, and cut`(value: String, text: String) {
        var metrics = PrometheusText()
        metrics.add("a", "Help.", [(["name": value], 1.5)])
        #expect(
            metrics.text.unicodeScalars.elementsEqual(
                "# HELP a Help.\n# TYPE a gauge\na{name=\"\(text)\"} 1.5\n".unicodeScalars))
    }

    @Test func `what is no number is left out, and so is a family without samples`() {
        var metrics = PrometheusText()
        metrics.add("a", "Help.", [(["n": "1"], .infinity), (["n": "2"], .nan)])
        #expect(metrics.text.isEmpty)
        metrics.add("b_total", "Help.", 3, kind: .counter)
        #expect(metrics.text == "# HELP b_total Help.\n# TYPE b_total counter\nb_total 3\n")
    }
}

@Suite struct EventHistoryTests {
    private let host = HostName("h")!

    private func append(_ replayBuffer: EventReplayBuffer, _ path: String, kind: String = "report", _ data: JSON = [:])
    {
        replayBuffer.append(EventReplayBuffer.Subject(host: host, path: path, kind: kind), event: kind, data)
    }

    private func paths(_ batch: EventReplayBuffer.Batch) -> (kinds: [String], next: Int)? {
        guard case .entries(let entries, let next) = batch else { return nil }
        return (entries.map { $0.subject.kinds.last ?? "" }, next)
    }

    @Test func `figures push nothing else out of the history`() async throws {
        let replayBuffer = EventReplayBuffer()
        append(replayBuffer, "server/a-b/state")
        let large = JSON.object(["x": .string(String(repeating: "y", count: 20_000))])
        for number in 0..<5000 { append(replayBuffer, "server/a-b/metrics", number < 4000 ? large : [:]) }
        append(replayBuffer, "server/a-b/availability")
        let first = try #require(paths(await replayBuffer.batch(from: 0)))
        #expect(first.kinds.first == "state" && first.kinds.dropFirst().allSatisfy { $0 == "metrics" })
        var (seen, next) = (first.kinds, first.next)
        while next < replayBuffer.next {
            let more = try #require(paths(await replayBuffer.batch(from: next)))
            (seen, next) = (seen + more.kinds, more.next)
        }
        #expect(seen.last == "availability" && seen.count == 258)
        #expect(replayBuffer.resumption(after: "\(replayBuffer.epoch)-0") == 1)
        for _ in 0..<1100 { append(replayBuffer, "server/a-b", kind: "event") }
        #expect(replayBuffer.resumption(after: "\(replayBuffer.epoch)-0") == nil)
        guard case .over = await replayBuffer.batch(from: 1) else { return #expect(Bool(false)) }
    }
}

extension ReportCacheTests {
    @Test func `what the index does not name is nobody's server, whatever is retained`() {
        let cache = ReportCache(replayBuffer: EventReplayBuffer())
        cache.linked()
        let host = HostName("h")!
        let ghost = ServerID(uid: "a.ghost")!, real = ServerID(uid: "a.real")!
        func take(_ path: String, _ json: JSON) { cache.take(host, path: path, payload: json.bytes) }
        for server in [ghost, real] { take("server/\(server.sid)/state", ["state": "running"]) }
        #expect(cache.servers(of: host).map(\.id) == [ghost, real])
        take("servers", ["servers": [["sid": .string(real.sid)]]])
        #expect(cache.servers(of: host).map(\.id) == [real] && cache.server(ghost, of: host) == nil)
        cache.take(host, path: "servers", payload: [])
        #expect(cache.servers(of: host).count == 2)
    }

    @Test func `an agent whose last word is old is silent until it is heard again`() {
        let cache = ReportCache(replayBuffer: EventReplayBuffer())
        cache.linked()
        let host = HostName("h")!
        func word(_ age: Double) -> [UInt8] {
            let json: JSON = [
                "state": "online", "instance": "i", "started": 1, "ts": Timestamp.json(Date().addingTimeInterval(-age)),
            ]
            return json.bytes
        }
        cache.take(host, path: "agent", payload: word(140))
        #expect(cache.presence(of: host) == .online)
        let other = HostName("o")!
        cache.take(other, path: "agent", payload: word(1000))
        #expect(cache.presence(of: other) == .offline(reason: "silent") && cache.session(of: other) == nil)
        // Its clock may be wrong: that it is heard at all counts.
        cache.take(other, path: "agent", payload: word(999))
        #expect(cache.presence(of: other) == .online)
    }
}
