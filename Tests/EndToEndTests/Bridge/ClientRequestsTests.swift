import Foundation
import OrcContract
import OrcCore
import Testbed
import Testing

extension EndToEnd {
    /// The bytes that PEON's Discord bot and web UI send, as they are; what those clients read is there.
    @Suite(.needsCorpus) struct ClientRequestsTests {
        @Test func `the bot's and the web UI's requests are answered with what they read`() async throws {
            let data = try Data(contentsOf: Testbed.corpus().appending(path: "peon-v1/recorded.json"))
            let calls = try JSON.parse(Array(data))["client_requests"]?.array ?? []
            #expect(calls.count > 40)
            try await BridgeRig.with(plans: true) { rig in
                for call in calls {
                    let name = call["call"]?.string ?? ""
                    if !name.contains("create"), !name.contains("deploy") { try await Self.makeServer(rig) }
                    for request in call["requests"]?.array ?? [] {
                        let head = request["head"]?.string ?? "", body = request["body"]?.string ?? ""
                        let answer = try #require(
                            try await rig.http.raw("\(head)\r\n\r\n\(body)", limit: 20), "\(name)")
                        Self.check(answer, to: head.components(separatedBy: " HTTP/1.1")[0], "\(name)")
                    }
                }
            }
        }

        private static func makeServer(_ rig: BridgeRig) async throws {
            guard try await rig.http.get("/api/v1/server/get/valheim.alpha").status == 404 else { return }
            let settings: JSON = ["SERVER_NAME": "Alpha", "WORLD_NAME": "w", "PASSWORD": "secret1"]
            _ = try await rig.http.call("DELETE", "/api/v1/server/eradicate/valheim.alpha", ["eradicate": true])
            let made = try await rig.http.call("PUT", "/api/v1/server/create/valheim.alpha", settings)
            #expect(made.status == 200, "\(made.text)")
        }

        private static let server = [
            "servername", "game_uid", "server_state", "container_type", "build_version", "description", "server_config",
            "time", "container_state",
        ]

        private static func check(_ answer: HTTPAnswer, to line: String, _ call: Comment) {
            let json = answer.json
            let path = line.split(separator: " ").last.map(String.init) ?? ""
            switch path.split(separator: "?")[0] {
            case "/api/v1/orchestrator": #expect(json["version"]?.string == "1.2.12", call)
            case "/api/v1/servers" where line.hasPrefix("GET"):
                #expect(
                    json.array?.first?["game_uid"] == "valheim" && json.array?.first?["container_state"] != nil, call)
            case "/api/v1/plans" where line.hasPrefix("GET"):
                #expect(json.array?.first?["game_uid"] != nil && json.array?.first?["title"] != nil, call)
            case "/api/v1/plan/valheim": #expect(json["SERVER_NAME"] == "" && answer.status == 200, call)
            case "/api/v1/server/get/valheim.alpha", "/api/v1/server/info/valheim.alpha":
                for key in server { #expect(json[key] != nil, "\(call): \(key)") }
                #expect(answer.status == 200 && json["error"] == nil, call)
            case "/api/v1/server/logs/valheim.alpha": #expect(json["logs"]?.array != nil, call)
            case "/openapi.json": #expect(json["openapi"] != nil && json["paths"] != nil, call)
            case "/api/v1/server/start/valheim.alpha", "/api/v1/server/restart/valheim.alpha":
                #expect(json["container_state"] == "running" && json["error"] == nil, call)
            case "/api/v1/server/destroy/valheim.alpha": #expect(json["status"] == "success", call)
            default:
                // Done, or refused in words that both clients find.
                let isRefused = json["error"]?.string != nil && json["info"] != nil && json["detail"] != nil
                #expect(answer.status == 200 ? json["error"] == nil : isRefused, "\(call): \(answer.text)")
            }
        }
    }
}
