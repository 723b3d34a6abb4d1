import Foundation
import OrcContract
import OrcCore
import Testbed
import Testing

/// A million inputs, made at random and by mutation, through the reader of topics and payloads.
@Suite struct CommandParserFuzzTests {
    /// Inputs a seed; `TESTBED_FUZZ` in the environment sets another number.
    private let rounds = ProcessInfo.processInfo.environment["TESTBED_FUZZ"].flatMap { Int($0) } ?? 500_000

    @Test(arguments: [UInt64(1), 2]) func `no input crashes the reader`(seed: UInt64) {
        var random = Fuzz(numbers: Seeded(seed))
        let reader = CommandParser(topics: Topics(host: HostName(fitting: "h1")))
        let now = Date(timeIntervalSince1970: 1_800_000_000)
        var commands = 0
        var refusals = 0
        for _ in 0..<rounds {
            var message = CommandMessage(topic: random.topic(), payload: random.payload())
            message.isRetained = random.below(20) == 0
            if random.below(5) == 0 { message.responseTopic = random.topic() }
            if random.below(5) == 0 { message.correlation = random.bytes(random.below(40)) }
            do {
                if try reader.read(message, now: now) != nil { commands += 1 }
            } catch {
                refusals += 1
                #expect(error.route.topic?.hasPrefix("peon/h1/reply/") ?? true)
            }
        }
        #expect(commands > rounds / 500 && refusals > rounds / 500)  // both ways were really walked
    }
}

private struct Fuzz {
    var numbers: Seeded

    mutating func next() -> UInt64 { numbers.next() }
    mutating func below(_ limit: Int) -> Int { Int(next() % UInt64(limit)) }
    mutating func bytes(_ count: Int) -> [UInt8] { (0..<count).map { _ in UInt8(truncatingIfNeeded: next()) } }
    mutating func pick<Item>(_ items: [Item]) -> Item { items[below(items.count)] }

    mutating func topic() -> String {
        let levels = [
            "peon", "h1", "h2", "cmd", "reply", "status", "server", "agent", "valheim-alpha", "valheim.alpha", "", "..",
            "+", "#",
            "a_2e-b", "start", "stop", "power", "create", "ping", "plan", "$SYS", "\u{0}", "ü", "description", "alice",
        ]
        if below(4) > 0 {
            let action = pick(Action.allCases)
            let path =
                if case .server = action { "server/\(pick(levels))/\(action.name)" } else { "agent/\(action.name)" }
            return "peon/h1/\(pick(["cmd", "cmd", "cmd", "reply"]))/\(path)"
        }
        return (0..<below(7)).map { _ in pick(levels) }.joined(separator: "/")
    }

    mutating func payload() -> [UInt8] {
        let seeds = [
            "{}", "PRESS", "ON", #"{"id":"1","args":{"grace":1}}"#, #"{"ts":1800000000,"ttl":5,"reply_to":"x"}"#,
            "null",
            #"{"description":"\ud83d\ude00"}"#, #"{"game":"x","state":"ON","settings":{"A":[1,2,{"b":null}]}}"#,
            String(repeating: "[", count: 40), #"{"a":1e999,"b":-0.0}"#, "\u{FEFF}{}",
        ]
        var payload = Array(pick(seeds).utf8)
        for _ in 0..<below(4) where !payload.isEmpty {
            switch below(4) {
            case 0: payload[below(payload.count)] = UInt8(truncatingIfNeeded: next())
            case 1: payload.insert(contentsOf: bytes(below(6)), at: below(payload.count))
            case 2: payload.removeSubrange(below(payload.count)...)
            default: payload += payload.prefix(32)
            }
        }
        return payload
    }
}
