import FoundationEssentials
import OrcContract
import OrcCore
import OrcEngine
import OrcPlans

/// Console actions: returns a server's recent output, and writes lines to its input.
struct ConsoleActions: Sendable {
    let servers: ServerOperations
    let followers: ConsoleFollowers
    let engine: any ContainerEngine

    /// Maximum bytes of console lines in one reply.
    private static let mostLogBytes = 32 << 10

    func logs(_ server: ServerID, _ arguments: JSON.Object) async throws -> ActionOutcome {
        let record = try servers.record(of: server)
        let since = try Self.time(arguments["since"])
        let seconds = arguments["follow"]?.int
        if let seconds, !followers.follow(server, seconds: seconds) {
            throw ActionError(.busy, "too many servers are followed")
        }
        guard let container = record.container else {
            return ActionOutcome(data: ["lines": [], "truncated": false, "following": .bool((seconds ?? 0) > 0)])
        }
        let all = try await engine.lastLines(
            of: container.id, count: arguments["tail"]?.int ?? 100, since: since, deadline: 10)
        let secrets = record.secrets
        let lines = all.last(bytes: Self.mostLogBytes)
        return ActionOutcome(data: [
            "lines": .array(lines.map { .string(secrets.hidden(in: $0)) }),
            "truncated": .bool(lines.count < all.count), "following": .bool((seconds ?? 0) > 0),
        ])
    }

    private static func time(_ value: JSON?) throws(ActionError) -> Date? {
        guard let text = value?.string else { return nil }
        guard let date = Timestamp.date(text) else {
            throw ActionError(.badArguments, "since: must be an RFC 3339 time")
        }
        return date
    }

    /// Writes one line to the server's input; the catalogue has already rejected text with line breaks.
    func type(_ text: String, to server: ServerID) async throws -> ActionOutcome {
        let record = try servers.record(of: server)
        guard record.isRunning, let container = record.container else {
            throw ActionError(.conflict, "\(server) does not run")
        }
        guard container.hasConsole else {
            throw ActionError(.conflict, "the console of \(server) accepts no input: its container has no stdin")
        }
        try await engine.write(Array("\(text)\n".utf8), toInputOf: container.id)
        return ActionOutcome(changed: true)
    }
}

extension [String] {
    /// Returns as many of the last lines as fit in `bytes` bytes of JSON.
    func last(bytes: Int) -> ArraySlice<String> {
        var size = 0
        let start = indices.reversed().prefix { index in
            size += self[index].utf8.count + 3  // its quotes and the comma
            return size <= bytes
        }.last
        return self[(start ?? endIndex)...]
    }
}
