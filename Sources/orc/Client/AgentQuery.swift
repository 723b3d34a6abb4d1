import ArgumentParser
import FoundationEssentials
import OrcContract
import OrcCore

/// A query to this host's agent.
struct AgentQuery {
    private let wiring: ServiceWiring
    private let topics: Topics

    init(_ flags: SettingsFlags) throws {
        wiring = try ServiceWiring(try flags.settings(), isQuiet: true)
        topics = Topics(host: try wiring.settings.host())
    }

    /// Returns the reply's data; prints an error and exits with 1 if the agent refuses, or with 3 if no agent replies.
    func ask(_ action: AgentAction, _ arguments: JSON.Object) async throws -> JSON {
        let call = CommandSender.Call(
            topics: topics, topic: topics.command(action), arguments: arguments, id: UUID().uuidString.lowercased())
        let reply = try await orUnreachable {
            try await CommandSender(options: try wiring.clientOptions(), logger: wiring.logger).send(call, seconds: 15)
        }
        guard reply.status == .ok else {
            StandardError.write("orc: \(reply.error ?? reply.code?.rawValue ?? "refused")\n")
            throw ExitCode(1)
        }
        return reply.data
    }
}
