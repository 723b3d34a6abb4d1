import FoundationEssentials
import OrcContract
import OrcCore
import Synchronization
import Testing

@testable import OrcBridge

@Suite struct PendingRepliesTests {
    private static let host = HostName("h")!

    private static func call(_ id: String, _ uid: String = "a.b", _ action: ServerAction = .start)
        -> PendingReplies.Call
    {
        let server = ServerID(uid: uid)!
        let topics = Topics(host: host)
        let topic = topics.command(action, server.sid)
        return PendingReplies.Call(
            host: host, action: .server(action), server: server, id: id, topic: topic, payload: [],
            key: PendingReplies.key(mirror: topics.result(ofCommand: topic)!, id: id), ttl: 60)
    }

    private static func reply(_ id: String, _ status: Reply.Status, _ uid: String? = "a.b", data: JSON = .null) -> Reply
    {
        var reply = Reply(action: "start", status: status, at: Date(timeIntervalSince1970: 0))
        reply.id = id
        reply.server = uid.flatMap { ServerID(uid: $0) }
        reply.data = data
        return reply
    }

    @Test func `the terminal reply ends the wait, what comes before does not`() async {
        let pending = PendingReplies { _ in true }
        let call = Self.call("1")
        #expect(pending.send(call))
        pending.take(Self.reply("1", .accepted), from: Self.host)
        #expect(await pending.outcome(of: call.key, within: .milliseconds(20))?.reply?.status == .accepted)
        async let outcome = pending.outcome(of: call.key, within: .seconds(5))
        pending.take(Self.reply("1", .ok, data: ["x": 1]), from: Self.host)
        #expect(await outcome?.reply?.data == ["x": 1])
    }

    @Test func `replies to other servers, actions, ids and hosts do not count`() async {
        let pending = PendingReplies { _ in true }
        let call = Self.call("1")
        _ = pending.send(call)
        pending.take(Self.reply("1", .ok, "a.c"), from: Self.host)
        pending.take(Self.reply("2", .ok), from: Self.host)
        pending.take(Self.reply("1", .ok), from: HostName("other")!)
        var stop = Self.reply("1", .ok)
        stop.action = "stop"
        pending.take(stop, from: Self.host)
        #expect(await pending.outcome(of: call.key, within: .milliseconds(10))?.reply == nil)
    }

    @Test func `where only the mirror comes, it is the answer; where both come, the full one`() async {
        let pending = PendingReplies { _ in true }
        let call = Self.call("1"), topic = "peon/h/result/server/a-b/start"
        _ = pending.send(call)
        pending.take(mirror: Self.reply("1", .ok), topic: topic)
        let lone = await pending.outcome(of: call.key, within: .seconds(1))
        #expect(lone?.reply?.status == .ok && lone?.reply?.data == .null)
        pending.take(Self.reply("1", .ok, data: ["x": 1]), from: Self.host)
        #expect(pending[call.key]?.reply?.data == ["x": 1])
    }

    @Test(arguments: [ServerAction.get, .stats]) func `the mirror of a question is not its answer`(action: ServerAction)
        async
    {
        let pending = PendingReplies { _ in true }
        let call = Self.call("1", "a.b", action)
        _ = pending.send(call)
        var mirror = Self.reply("1", .ok)
        mirror.action = action.rawValue
        pending.take(mirror: mirror, topic: "peon/h/result/server/a-b/\(action.rawValue)")
        #expect(await pending.outcome(of: call.key, within: .milliseconds(20))?.reply?.status.isTerminal != true)
        var full = Self.reply("1", .ok, data: ["x": 1])
        full.action = action.rawValue
        pending.take(full, from: Self.host)
        #expect(await pending.outcome(of: call.key, within: .seconds(1))?.reply?.data == ["x": 1])
    }

    @Test func `two who wait for one id both get the answer`() async {
        let pending = PendingReplies { _ in true }
        let call = Self.call("1")
        _ = pending.send(call)
        async let first = pending.outcome(of: call.key, within: .seconds(5))
        async let second = pending.outcome(of: call.key, within: .seconds(5))
        try? await Task.sleep(for: .milliseconds(10))
        pending.take(Self.reply("1", .ok), from: Self.host)
        #expect(await first?.isOver == true)
        #expect(await second?.isOver == true)
    }

    @Test func `what was not answered is sent again for a minute, what was is not`() {
        let sent = Mutex<[String]>([])
        let pending = PendingReplies { call in
            sent.withLock { $0.append(call.id) }
            return true
        }
        let now = ContinuousClock.now
        _ = pending.send(Self.call("old"), now: now - .seconds(61))
        _ = pending.send(Self.call("open"), now: now)
        _ = pending.send(Self.call("done"), now: now)
        pending.take(Self.reply("done", .ok), from: Self.host)
        pending.resend(now: now)
        #expect(sent.withLock { $0 } == ["old", "open", "done", "open"])
    }

    @Test func `what an agent has accepted is sent again for longer, whichever reply says so`() {
        let sent = Mutex<[String]>([])
        let pending = PendingReplies { call in
            sent.withLock { $0.append(call.id) }
            return true
        }
        let now = ContinuousClock.now
        for id in ["none", "full", "mirror"] { _ = pending.send(Self.call(id), now: now - .seconds(61)) }
        pending.take(Self.reply("full", .accepted), from: Self.host)
        pending.take(mirror: Self.reply("mirror", .accepted), topic: "peon/h/result/server/a-b/start")
        sent.withLock { $0 = [] }
        pending.resend(now: now)
        #expect(sent.withLock { $0 } == ["full", "mirror"])
    }

    @Test func `outcomes are kept for a quarter of an hour, and no more than so many`() {
        let pending = PendingReplies { _ in true }
        let now = ContinuousClock.now
        _ = pending.send(Self.call("old"), now: now - .seconds(901))
        _ = pending.send(Self.call("new"), now: now + .seconds(31))
        #expect(pending[Self.call("old").key] == nil && pending[Self.call("new").key] != nil)
        for index in 0..<4200 { _ = pending.send(Self.call("n\(index)"), now: now) }
        #expect(pending[Self.call("new").key] == nil && pending[Self.call("n4199").key] != nil)
    }

    @Test func `what took long is not the first to be forgotten once it is answered`() async {
        let pending = PendingReplies { _ in true }
        let long = Self.call("long")
        _ = pending.send(long)
        func read(_ number: Int) {
            _ = pending.send(Self.call("\(number)", "a.b", .stats))
            var reply = Self.reply("\(number)", .ok)
            reply.action = "stats"
            pending.take(reply, from: Self.host)
        }
        for number in 0..<3000 { read(number) }
        pending.take(Self.reply("long", .ok, data: ["x": 1]), from: Self.host)
        for number in 3000..<6000 { read(number) }
        #expect(await pending.outcome(of: long.key, within: .zero)?.reply?.data == ["x": 1])
        #expect(pending[Self.call("3000", "a.b", .stats).key] == nil, "there is a bound")
    }
}
