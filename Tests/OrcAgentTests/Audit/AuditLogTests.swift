import Foundation
import Logging
import OrcContract
import OrcCore
import OrcPlans
import OrcStorage
import Testbed
import Testing

@testable import OrcAgent
@testable import OrcMetrics

@Suite struct AuditLogTests {
    private let reader = CommandParser(topics: Topics(host: HostName("h")!))

    private func entry(_ action: ServerAction, _ payload: JSON, secrets: JSON.Object = [:]) throws -> AuditEntry {
        let message = CommandMessage(topic: reader.topics.command(action, "a-b"), payload: payload.bytes)
        let command = try #require(try reader.read(message, now: Date()))
        let given = [command.arguments, command.arguments["settings"]?.object ?? [:], secrets]
        return AuditLog.entry(command, command.reply(.ok), secrets: SecretRedactor(environments: given))
    }

    @Test func `no secret is written down`() throws {
        let settings: JSON = ["PASSWORD": "hunter22", "NAME": "with hunter22", "RCON_TOKEN": ["a": "hunter22"]]
        for payload: JSON in [
            settings, ["settings": settings], ["PASSWORD": 77_778_888], ["files": ["x": "hunter22"]],
            ["description": "password: hunter22"], ["settings": ["ADMIN_PASS": ["hunter22", "hunter22"]]],
        ] {
            let text = try entry(.create, payload).arguments
            #expect(!text.contains("hunter22") && !text.contains("77778888"), "\(text)")
        }
        for line in ["rcon_password hunter22", "set pwd=hunter22", "Authorization: Bearer hunter22", "login hunter22"] {
            let console = try entry(.console, ["command": .string(line)], secrets: ["PASSWORD": "hunter22"])
            #expect(!console.arguments.contains("hunter22"))
        }
    }

    @Test func `what is written down is bounded, however large the command`() throws {
        var members = JSON.Object()
        for number in 0..<400 { members["k\(number)"] = .string(String(repeating: "a ", count: 60)) }
        let payloads: [JSON] = [
            .object(members), ["x": .array(Array(repeating: "y", count: 15_000))],
            ["x": .string(String(repeating: "a ", count: 30_000))],
            ["by": .string("a" + String(repeating: "\u{301}", count: 30_000))],
        ]
        for payload in payloads {
            let message = CommandMessage(topic: reader.topics.command(.get, "a-b"), payload: payload.bytes)
            let command = try #require(try reader.read(message, now: Date()))
            let entry = AuditLog.entry(command, command.reply(.ok), secrets: SecretRedactor(environment: [:]))
            #expect(entry.arguments.utf8.count < 4096 && (entry.who ?? "").utf8.count <= 64)
        }
    }

    @Test func `whoever asks is no more than text`() throws {
        let forged = try entry(.get, ["by": "a\u{1B}[2J\n\u{202E}b\u{9B}31m", "from": "x\u{0}y"])
        #expect(forged.who == "a[2Jb31m" && forged.place == "xy")
    }

    @Test func `it is kept by age and number, and questions push no deed out`() async throws {
        try await Testbed.withFolder { folder in
            let store = try StateStore(path: folder.appending(path: "orc.db").path())
            var keeps = AgentSettings.History()
            keeps.most = 100
            let audit = AuditLog(store: store, keeps: keeps, logger: Logger(label: "test"))
            func deed(_ at: Date) -> AuditEntry {
                var entry = AuditEntry(at: at, origin: .bus, action: "stop", outcome: "ok")
                entry.changed = true
                return entry
            }
            audit.write(deed(Date().addingTimeInterval(-91 * 86_400)))
            audit.write(deed(Date()))
            for round in 0..<3 {
                for _ in 0..<600 {
                    audit.keep({ AuditEntry(at: Date(), origin: .bus, action: "ping", outcome: "ok") }, level: .debug)
                }
                audit.flush()
                var all = AuditFilter()
                all.limit = 10_000
                let kept = try store.history(all)
                #expect(kept.contains { $0.action == "left_out" && $0.error?.contains("88") == true }, "\(round)")
                audit.trim()
            }
            var all = AuditFilter()
            all.limit = 10_000
            let kept = try store.history(all)
            #expect(kept.filter { $0.action == "stop" }.count == 1)
            #expect(kept.filter { $0.action == "ping" }.count <= 10)
        }
    }
}
