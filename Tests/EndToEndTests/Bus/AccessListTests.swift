import Foundation
import OrcContract
import OrcCore
import Testbed
import Testing

extension EndToEnd {
    /// The shipped access list, tried with a real broker as each of its users.
    @Suite struct AccessListTests {
        private static let users = ["h1", "operator", "dashboard", "alice", "bot", "homeassistant"]

        /// Every topic of one host and one server, another of each, and what lies beside.
        private static let topics: [String] = {
            let reports = ["state", "availability", "metrics", "schedule"]
            let verbs = ServerAction.allCases.map(\.rawValue)
            var topics: [String] = []
            for host in ["h1", "h2"] {
                topics += ["agent", "info", "servers", "host"].map { "peon/\(host)/status/\($0)" }
                topics += AgentAction.allCases.map { "peon/\(host)/cmd/agent/\($0.rawValue)" }
                topics += ["reply/alice", "reply/alice/a", "reply/other", "event/agent", "result/agent/ping"].map {
                    "peon/\(host)/\($0)"
                }
                for server in ["valheim-alpha", "valheim-beta"] {
                    topics += reports.map { "peon/\(host)/status/server/\(server)/\($0)" }
                    topics += verbs.map { "peon/\(host)/cmd/server/\(server)/\($0)" }
                    topics += ["event", "console"].map { "peon/\(host)/\($0)/server/\(server)" }
                }
                topics.append("homeassistant/device/\(host)/x/config")
            }
            return topics + ["peon/bot/status/agent", "peon/alice/status/agent", "homeassistant/status", "other"]
        }()

        private static func verb(_ topic: String) -> String? {
            let levels = topic.split(separator: "/").map(String.init)
            return levels.count == 6 && levels[2] == "cmd" && levels[3] == "server" ? levels[5] : nil
        }

        /// What the comments of the list promise.
        private static func mayRead(_ user: String, _ topic: String) -> Bool {
            let isReport = ["h1", "h2", "bot", "alice"].contains { host in
                topic.hasPrefix("peon/\(host)/status/") || topic.hasPrefix("peon/\(host)/event/")
            }
            switch user {
            case "h1": return topic.hasPrefix("peon/h1/") || topic == "homeassistant/status"
            case "operator": return topic.hasPrefix("peon/")
            case "dashboard": return isReport
            case "alice":
                return topic.hasPrefix("peon/h1/status/server/valheim-alpha/")
                    || [
                        "peon/h1/status/agent", "peon/h1/status/servers", "peon/h1/event/server/valheim-alpha",
                        "peon/h1/console/server/valheim-alpha", "peon/h1/reply/alice", "peon/h1/reply/alice/a",
                    ].contains(topic)
            case "bot": return isReport && topic.contains("/status/")
            case "homeassistant": return isReport || topic.hasPrefix("homeassistant/")
            default: return false
            }
        }

        private static func mayWrite(_ user: String, _ topic: String) -> Bool {
            switch user {
            case "h1": return topic.hasPrefix("peon/h1/") || topic == "homeassistant/device/h1/x/config"
            case "operator": return topic.hasPrefix("peon/") && topic.contains("/cmd/")
            case "alice":
                let forbidden = ["create", "destroy", "eradicate", "power", "schedule", "unschedule", "cancel"]
                return topic.hasPrefix("peon/h1/cmd/server/valheim-alpha/")
                    && !forbidden.contains(verb(topic) ?? "create")
            case "bot": return ["start", "stop"].contains(verb(topic))
            case "homeassistant":
                return ["start", "stop", "restart", "power"].contains(verb(topic)) || topic == "homeassistant/status"
            default: return false
            }
        }

        @Test func `each user of the shipped access list may do what it says, and no more`() async throws {
            let list = try String(
                contentsOf: Testbed.package.appending(path: "config/mosquitto/acl"), encoding: .utf8)
            #expect(Set(list.matches(of: /(?m)^user (\S+)$/).map { String($0.1) }) == Set(Self.users))
            #expect(!list.contains("pattern readwrite"))
            let lines =
                "listener PORT 127.0.0.1\nallow_anonymous false\npassword_file FOLDER/passwd\nacl_file FOLDER/acl"
            try await Broker.with(
                lines,
                prepare: { folder in
                    try "\(list)\nuser tester\ntopic readwrite #\n".write(
                        to: folder.appending(path: "acl"), atomically: true, encoding: .utf8)
                    let passwords = (Self.users + ["tester"]).map { "\($0):secret\n" }.joined()
                    let file = folder.appending(path: "passwd")
                    try passwords.write(to: file, atomically: true, encoding: .utf8)
                    try await output("mosquitto_passwd", ["-U", file.path()])
                }
            ) { broker in
                for topic in Self.topics { try await Self.publish(topic, as: "tester", broker, retain: true) }
                for user in Self.users {
                    let read = try await Self.readable(as: user, broker)
                    let expected = Set(Self.topics.filter { Self.mayRead(user, $0) })
                    #expect(read.subtracting(expected).isEmpty, "\(user) reads too much")
                    #expect(expected.subtracting(read).isEmpty, "\(user) reads too little")
                    var written: Set<String> = []
                    for topic in Self.topics where try await Self.publish(topic, as: user, broker) {
                        written.insert(topic)
                    }
                    let allowed = Set(Self.topics.filter { Self.mayWrite(user, $0) })
                    #expect(written.subtracting(allowed).isEmpty, "\(user) writes too much")
                    #expect(allowed.subtracting(written).isEmpty, "\(user) writes too little")
                }
            }
        }

        /// - Returns: whether the broker took it: with MQTT 5 it says so.
        @discardableResult
        private static func publish(_ topic: String, as user: String, _ broker: Broker, retain: Bool = false)
            async throws
            -> Bool
        {
            let told = try await output(
                "mosquitto_pub",
                [
                    "-V", "5", "-p", "\(broker.port)", "-u", user, "-P", "secret", "-q", "1", "-t", topic, "-m", topic,
                    "-d",
                ]
                    + (retain ? ["-r"] : []))
            return told.contains("PUBACK") && !told.contains("RC:135")
        }

        /// The retained topics that a user is given.
        private static func readable(as user: String, _ broker: Broker) async throws -> Set<String> {
            let told = try await output(
                "mosquitto_sub",
                ["-V", "5", "-p", "\(broker.port)", "-u", user, "-P", "secret", "-t", "#", "-F", "%t", "-W", "1"],
                allowing: [27])
            return Set(told.split(separator: "\n").map(String.init))
        }
    }
}
