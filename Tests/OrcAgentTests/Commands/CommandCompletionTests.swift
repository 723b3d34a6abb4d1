import Foundation
import Logging
import OrcContract
import OrcCore
import OrcMQTT
import OrcStorage
import Testbed
import Testing

@testable import OrcAgent

@Suite struct CommandCompletionTests {
    private let server = ServerID(uid: "a.b")!
    private let logger = Logger(label: "test")

    /// Passes what completes commands without a connection to a broker.
    private func withCompletion(_ body: (CommandCompletion, StateStore) throws -> Void) async throws {
        try await Testbed.withFolder { folder in
            let store = try StateStore(path: folder.appending(path: "orc.db").path())
            let broker = try #require(BrokerURL("mqtt://127.0.0.1:1"))
            let bus = MQTTConnection(MQTTConfiguration(broker: broker, clientID: "test"), logger: logger)
            let link = RetainedPublisher(bus: bus)
            let audit = AuditLog(store: store, keeps: AgentSettings.History(), logger: logger)
            let reports = ReportPublisher(topics: Topics(host: HostName("h")!), link: link)
            let completion = CommandCompletion(
                journal: try CommandJournal(store: store, now: Date(), logger: logger),
                replySender: ReplySender(bus: bus, reports: link), audit: audit, store: store,
                registry: ServerRegistry(
                    reports: reports, store: store, audit: audit, publicIP: nil, logger: logger))
            try body(completion, store)
        }
    }

    private func command(_ action: ServerAction, _ origin: Command.Origin = .bus) -> Command {
        var command = Command(
            target: .server(server, action), id: "1", arguments: [:],
            route: ReplyRoute(mirror: "m", topic: nil, correlation: nil), by: nil, receivedAt: Date())
        command.origin = origin
        return command
    }

    private func outcome(_ data: JSON = .null) -> ActionOutcome {
        var outcome = ActionOutcome(changed: true)
        outcome.data = data
        return outcome
    }

    @Test func `a command is recorded once, whether it came over the bus or from a schedule`() async throws {
        try await withCompletion { completion, store in
            let message = CommandMessage(topic: "t", payload: [])
            let asked = command(.restart)
            completion.journal.admit(asked, message)
            completion.finish(asked, with: outcome())
            completion.finish(command(.stop, .schedule("nightly")), with: outcome())
            let history = try store.history(AuditFilter())
            #expect(history.map(\.action).sorted() == ["restart", "stop"])
            #expect(history.first { $0.action == "stop" }?.who == "nightly")
            #expect(completion.journal.reply(to: asked)?.status == .ok)
        }
    }
}
