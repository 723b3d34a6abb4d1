import Foundation
import OrcContract
import OrcCore
import Testing

@Suite struct CommandParserTests {
    static let topics = Topics(host: HostName(fitting: "h1"))
    let reader = CommandParser(topics: topics)
    let now = Date(timeIntervalSince1970: 1_800_000_000)

    private func message(_ path: String, _ payload: String, _ change: (inout CommandMessage) -> Void = { _ in })
        -> CommandMessage
    {
        var message = CommandMessage(topic: "peon/h1/cmd/\(path)", payload: Array(payload.utf8))
        change(&message)
        return message
    }

    private func refusal(_ message: CommandMessage) -> Reply.Code? {
        do {
            _ = try reader.read(message, now: now)
            return nil
        } catch {
            return error.code
        }
    }

    @Test func `a command is read with all its parts`() throws {
        let payload = #"{"id":"42","by":"anna","reply_to":"bot","args":{"grace":5},"signal":"INT"}"#
        let command = try #require(try reader.read(message("server/valheim-alpha/stop", payload), now: now))
        #expect(command.target == .server(ServerID(uid: "valheim.alpha")!, .stop))
        #expect(command.id == "42" && command.by == "anna")
        #expect(command.arguments == ["signal": "INT", "grace": 5])
        #expect(command.route.topic == "peon/h1/reply/bot")
        #expect(command.route.mirror == "peon/h1/result/server/valheim-alpha/stop")
    }

    @Test func `one id is one command, however its server is spelled`() throws {
        let keys = try ["valheim-alpha", "valheim.alpha", "valheim/alpha"].compactMap { server in
            try reader.read(message("server/\(server)/console", #"{"id":"a","command":"x"}"#), now: now)?.key
        }
        #expect(keys == Array(repeating: "peon/h1/result/server/valheim-alpha/console a", count: 3))
        let others = try ["server/valheim-beta/console", "server/valheim-alpha/restart"].map { path in
            try reader.read(message(path, #"{"id":"a","command":"x"}"#), now: now)?.key
        }
        #expect(Set(others + [keys[0]]).count == 3)
    }

    @Test(arguments: ["server/valheim-alpha/start", "server/valheim.alpha/start"])
    func `sid and uid name the same server`(path: String) throws {
        #expect(try reader.read(message(path, "{}"), now: now)?.server?.uid == "valheim.alpha")
    }

    @Test(arguments: Action.allCases) func `zero bytes are never a command`(action: Action) throws {
        let path = if case .server = action { "server/valheim-alpha/\(action.name)" } else { "agent/\(action.name)" }
        #expect(try reader.read(message(path, ""), now: now) == nil)
        #expect(try reader.read(message(path, "") { $0.isRetained = true }, now: now) == nil)
    }

    @Test(arguments: PowerWord.allCases) func `power takes bare words`(word: PowerWord) throws {
        let command = try reader.read(message("server/valheim-alpha/power", word.rawValue), now: now)
        #expect(command?.arguments == ["state": .string(word.rawValue)])
    }

    @Test(arguments: ["PRESS", "{}"]) func `a press will do where nothing is required`(payload: String) throws {
        #expect(try reader.read(message("server/valheim-alpha/restart", payload), now: now)?.arguments.isEmpty == true)
    }

    @Test(arguments: [
        ("server/valheim-alpha/stop", "{", Reply.Code.badJSON), ("server/valheim-alpha/stop", "[]", .badJSON),
        ("server/valheim-alpha/stop", "stop", .badJSON), ("server/valheim-alpha/stop", "\u{FEFF}", .badJSON),
        ("server/valheim-alpha/stop", #"{"grace":-1}"#, .badArguments),
        ("server/valheim-alpha/stop", #"{"grace":"soon"}"#, .badArguments),
        ("server/valheim-alpha/stop", #"{"signal":"KILL"}"#, .badArguments),
        ("server/valheim-alpha/stop", #"{"signal":"INT; rm -rf /"}"#, .badArguments),
        ("server/valheim-alpha/stop", #"{"args":[]}"#, .badArguments),
        ("server/valheim-alpha/stop", #"{"id":7}"#, .badArguments),
        ("server/valheim-alpha/stop", #"{"id":""}"#, .badArguments),
        ("server/valheim-alpha/stop", #"{"ttl":"x"}"#, .badArguments),
        ("server/valheim-alpha/stop", #"{"ttl":5,"ts":1799999990}"#, .expired),
        ("server/valheim-alpha/stop", #"{"ttl":5,"ts":"2027-01-15T07:59:50Z"}"#, .expired),
        ("server/valheim-alpha/stop", #"{"reply_to":"a//b"}"#, .badReplyTopic),
        ("server/valheim-alpha/stop", #"{"reply_to":"+"}"#, .badReplyTopic),
        ("server/valheim-alpha/description", "{}", .badArguments), ("server/valheim-alpha/power", "{}", .badArguments),
        ("server/valheim-alpha/fly", "{}", .unknownAction), ("server/valheim-alpha/START", "{}", .unknownAction),
        ("server/valheim-alpha", "{}", .unknownAction), ("server/valheim-alpha/start/x", "{}", .unknownAction),
        ("agent/reboot", "{}", .unknownAction), ("", "{}", .unknownAction), ("x", "{}", .unknownAction),
        ("server/valheim/start", "{}", .unknownServer), ("server/../start", "{}", .unknownServer),
        ("server/%2e%2e/start", "{}", .unknownServer), ("server//start", "{}", .unknownServer),
        ("server/a;rm -rf ~/start", "{}", .unknownServer), ("server/valheim.\n/start", "{}", .unknownServer),
        ("server/Valheim.alpha/create", "{}", .badArguments), ("server/valheim.al pha/create", "{}", .badArguments),
        ("server/a.b.c/create", "{}", .badArguments), ("server/../create", "{}", .badArguments),
        ("server/$(id)/create", "{}", .badArguments),
    ])
    func `what is no good is refused with its reason`(path: String, payload: String, code: Reply.Code) {
        #expect(refusal(message(path, payload)) == code)
    }

    @Test func `size and depth are bounded`() {
        let big = #"{"a":""# + String(repeating: "x", count: CommandParser.maxBytes) + #""}"#
        #expect(refusal(message("agent/ping", big)) == .tooLarge)
        let deep = String(repeating: #"{"a":"#, count: 9) + "1" + String(repeating: "}", count: 9)
        #expect(refusal(message("agent/ping", deep)) == .badJSON)
    }

    @Test(arguments: [0, 1]) func `members count, at the top and within args`(over: Int) {
        for place in ["top", "args"] {
            // The id, and where they are the args, count too.
            let count = CommandParser.maxMembers - (place == "top" ? 1 : 2) + over
            let members = (0..<count).map { "\"k\($0)\":1" }.joined(separator: ",")
            let payload = place == "top" ? "{\"id\":\"a\",\(members)}" : "{\"id\":\"a\",\"args\":{\(members)}}"
            #expect(refusal(message("server/a-b/create", payload)) == (over > 0 ? .tooLarge : nil), "\(place)")
        }
    }

    @Test func `a retained command is refused`() {
        #expect(refusal(message("server/valheim-alpha/start", "{}") { $0.isRetained = true }) == .retained)
    }

    @Test(arguments: [
        "peon/h1/status/agent", "peon/h2/reply/x", "homeassistant/x", "$SYS/x", "peon/h1/reply/", "peon/h1/reply/+",
        "peon/h1/reply/#", "peon/h1/reply/" + String(repeating: "x", count: 300), "peon/h1/reply/a\u{0}",
    ])
    func `replies go below reply alone`(topic: String) {
        #expect(refusal(message("agent/ping", "{}") { $0.responseTopic = topic }) == .badReplyTopic)
    }

    @Test func `correlation data stands in for the id and comes back bit for bit`() throws {
        for data in [
            [UInt8](), Array("abc".utf8), [UInt8](repeating: 0xFF, count: 16), [UInt8](repeating: 7, count: 1000),
        ] {
            let command = try reader.read(
                message("agent/ping", "{}") {
                    $0.correlation = data
                    $0.responseTopic = "peon/h1/reply/x"
                }, now: now)
            #expect(command?.route.correlation == data)
            #expect((command?.id == nil) == data.isEmpty)
        }
    }

    @Test func `another host's topics are none of ours`() throws {
        #expect(
            try reader.read(CommandMessage(topic: "peon/h2/cmd/agent/ping", payload: [0x7B, 0x7D]), now: now) == nil)
        #expect(try reader.read(CommandMessage(topic: "peon/h1/status/agent", payload: [0x7B, 0x7D]), now: now) == nil)
    }
}
