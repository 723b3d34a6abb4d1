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
            key: PendingReplies.key(mirror: topics.result(ofCommand: topic)!, id: id))
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
        let exchange = PendingReplies { _ in true }
        let call = Self.call("1")
        #expect(exchange.send(call))
        exchange.take(Self.reply("1", .accepted), from: Self.host)
        #expect(await exchange.outcome(of: call.key, within: .milliseconds(20))?.reply?.status == .accepted)
        async let outcome = exchange.outcome(of: call.key, within: .seconds(5))
        exchange.take(Self.reply("1", .ok, data: ["x": 1]), from: Self.host)
        #expect(await outcome?.reply?.data == ["x": 1])
    }

    @Test func `replies to other servers, actions, ids and hosts do not count`() async {
        let exchange = PendingReplies { _ in true }
        let call = Self.call("1")
        _ = exchange.send(call)
        exchange.take(Self.reply("1", .ok, "a.c"), from: Self.host)
        exchange.take(Self.reply("2", .ok), from: Self.host)
        exchange.take(Self.reply("1", .ok), from: HostName("other")!)
        var stop = Self.reply("1", .ok)
        stop.action = "stop"
        exchange.take(stop, from: Self.host)
        #expect(await exchange.outcome(of: call.key, within: .milliseconds(10))?.reply == nil)
    }

    @Test func `where only the mirror comes, it is the answer; where both come, the full one`() async {
        let exchange = PendingReplies { _ in true }
        let call = Self.call("1"), topic = "peon/h/result/server/a-b/start"
        _ = exchange.send(call)
        exchange.take(mirror: Self.reply("1", .ok), topic: topic)
        let lone = await exchange.outcome(of: call.key, within: .seconds(1))
        #expect(lone?.reply?.status == .ok && lone?.reply?.data == .null)
        exchange.take(Self.reply("1", .ok, data: ["x": 1]), from: Self.host)
        #expect(exchange[call.key]?.reply?.data == ["x": 1])
    }

    @Test(arguments: [ServerAction.get, .stats]) func `the mirror of a question is not its answer`(action: ServerAction)
        async
    {
        let exchange = PendingReplies { _ in true }
        let call = Self.call("1", "a.b", action)
        _ = exchange.send(call)
        var mirror = Self.reply("1", .ok)
        mirror.action = action.rawValue
        exchange.take(mirror: mirror, topic: "peon/h/result/server/a-b/\(action.rawValue)")
        #expect(await exchange.outcome(of: call.key, within: .milliseconds(20))?.reply?.status.isTerminal != true)
        var full = Self.reply("1", .ok, data: ["x": 1])
        full.action = action.rawValue
        exchange.take(full, from: Self.host)
        #expect(await exchange.outcome(of: call.key, within: .seconds(1))?.reply?.data == ["x": 1])
    }

    @Test func `two who wait for one id both get the answer`() async {
        let exchange = PendingReplies { _ in true }
        let call = Self.call("1")
        _ = exchange.send(call)
        async let first = exchange.outcome(of: call.key, within: .seconds(5))
        async let second = exchange.outcome(of: call.key, within: .seconds(5))
        try? await Task.sleep(for: .milliseconds(10))
        exchange.take(Self.reply("1", .ok), from: Self.host)
        #expect(await first?.isOver == true)
        #expect(await second?.isOver == true)
    }

    @Test func `what was not answered is sent again for a minute, what was is not`() {
        let sent = Mutex<[String]>([])
        let exchange = PendingReplies { call in
            sent.withLock { $0.append(call.id) }
            return true
        }
        let now = ContinuousClock.now
        _ = exchange.send(Self.call("old"), now: now - .seconds(61))
        _ = exchange.send(Self.call("open"), now: now)
        _ = exchange.send(Self.call("done"), now: now)
        exchange.take(Self.reply("done", .ok), from: Self.host)
        exchange.resend(now: now)
        #expect(sent.withLock { $0 } == ["old", "open", "done", "open"])
    }

    @Test func `outcomes are kept for a quarter of an hour, and no more than so many`() {
        let exchange = PendingReplies { _ in true }
        let now = ContinuousClock.now
        _ = exchange.send(Self.call("old"), now: now - .seconds(901))
        _ = exchange.send(Self.call("new"), now: now + .seconds(31))
        #expect(exchange[Self.call("old").key] == nil && exchange[Self.call("new").key] != nil)
        for index in 0..<4200 { _ = exchange.send(Self.call("n\(index)"), now: now) }
        #expect(exchange[Self.call("new").key] == nil && exchange[Self.call("n4199").key] != nil)
    }

    @Test func `what took long is not the first to be forgotten once it is answered`() async {
        let exchange = PendingReplies { _ in true }
        let long = Self.call("long")
        _ = exchange.send(long)
        func read(_ number: Int) {
            _ = exchange.send(Self.call("\(number)", "a.b", .stats))
            var reply = Self.reply("\(number)", .ok)
            reply.action = "stats"
            exchange.take(reply, from: Self.host)
        }
        for number in 0..<3000 { read(number) }
        exchange.take(Self.reply("long", .ok, data: ["x": 1]), from: Self.host)
        for number in 3000..<6000 { read(number) }
        #expect(await exchange.outcome(of: long.key, within: .zero)?.reply?.data == ["x": 1])
        #expect(exchange[Self.call("3000", "a.b", .stats).key] == nil, "there is a bound")
    }
}
