import Foundation
import OrcContract
import OrcCore
import Testing

@Suite struct AccessScopeTests {
    private let reader = CommandParser(topics: Topics(host: HostName("h")!))

    private func complaint(_ scope: AccessScope, _ path: String, _ payload: JSON = [:]) throws -> String? {
        let message = CommandMessage(topic: "peon/h/cmd/\(path)", payload: payload.bytes)
        return scope.complaint(about: try #require(try reader.read(message, now: Date())))
    }

    @Test func `a key of some servers and verbs does these alone`() throws {
        let scope = AccessScope(servers: [ServerID(uid: "valheim.alpha")!], verbs: [.start, .stop, .schedule])
        #expect(try complaint(scope, "server/valheim-alpha/start") == nil)
        #expect(try complaint(scope, "server/valheim-alpha/get") == nil)
        #expect(try complaint(scope, "server/valheim-alpha/kill") == "this key may not kill")
        #expect(try complaint(scope, "server/valheim-beta/start") == "this key is not for valheim.beta")
        #expect(try complaint(scope, "server/valheim-beta/get") != nil)
        #expect(try complaint(scope, "agent/ping") != nil && complaint(scope, "server/valheim/create") != nil)
    }

    @Test func `a schedule takes the verbs of all that it does`() throws {
        let scope = AccessScope(servers: [], verbs: [.stop, .schedule])
        let later: JSON = ["in": "1h", "action": "stop"]
        #expect(try complaint(scope, "server/a-b/schedule", later) == nil)
        #expect(try complaint(scope, "server/a-b/schedule", ["in": "1h", "action": "kill"]) == "this key may not kill")
        let warned: JSON = ["in": "1h", "action": "stop", "warn": ["command": "say {left}", "before": ["5m"]]]
        #expect(try complaint(scope, "server/a-b/schedule", warned) == "this key may not console")
        #expect(try complaint(scope, "server/a-b/schedule", ["now": "stop", "interval": "1h"]) == nil)
        #expect(
            try complaint(scope, "server/a-b/schedule", ["now": "start", "interval": "1h"]) == "this key may not start")
        // What is typed before a stop is the console's, whoever stops, and whenever.
        for typing: JSON in [
            ["in": "1h", "action": "stop", "arguments": ["command": "op x"]],
            ["now": "stop", "interval": "1h", "command": "op x"],
        ] { #expect(try complaint(scope, "server/a-b/schedule", typing) == "this key may not console") }
        let stops = AccessScope(servers: [], verbs: [.stop])
        #expect(
            try complaint(stops, "server/a-b/schedule", ["now": "stop", "interval": "1h"])
                == "this key may not schedule")
        #expect(try complaint(.everything, "agent/ping") == nil)
        #expect(try complaint(AccessScope(servers: [], verbs: [.create]), "server/valheim/create") == nil)
    }
}
