import ArgumentParser
import FoundationEssentials
import Glibc
import Logging
import OrcContract
import OrcCore
import OrcMQTT
import OrcPlans

struct LogsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "logs",
        abstract: "Prints the last lines of a server's output, and with --follow also new ones.")

    @OptionGroup var flags: SettingsFlags

    @Option(help: "Number of lines.")
    var tail = 100

    @Flag(name: .shortAndLong, help: "Prints new lines until it is interrupted.")
    var follow = false

    @Argument(help: "The server.")
    var server: String

    /// Seconds for which one request makes the agent publish the console; repeated after half of that time.
    private static let lease = 60

    func run() async throws {
        guard let server = ServerID(self.server) else { throw ValidationError("\(self.server) is no server's name") }
        let wiring = try ServiceWiring(try flags.settings(), isQuiet: true)
        let topics = Topics(host: try wiring.settings.host())
        let call = LogCall(
            topics: topics, server: server,
            caller: CommandSender(options: try wiring.clientOptions(), logger: wiring.logger))
        let refusal = try await orUnreachable {
            guard follow else { return try await call.ask(["tail": .optional(tail)]) }
            return try await call.follow(tail: tail, lease: Self.lease, try wiring.clientOptions(), wiring.logger)
        }
        guard let refusal else { return }
        StandardError.write("orc: \(refusal)\n")
        throw ExitCode(1)
    }
}

/// Requests a server's log, and receives its console.
private struct LogCall: Sendable {
    let topics: Topics
    let server: ServerID
    let caller: CommandSender

    /// Requests lines of the log and prints them.
    ///
    /// - Returns: the reason if the agent refused; otherwise nil.
    func ask(_ arguments: JSON.Object) async throws -> String? {
        let call = CommandSender.Call(
            topics: topics, topic: topics.command(.logs, server.sid), arguments: arguments,
            id: UUID().uuidString.lowercased())
        let reply = try await caller.send(call, seconds: 15)
        guard reply.status == .ok else { return reply.error ?? "refused" }
        Self.print(lines: (reply.data["lines"]?.array ?? []).compactMap(\.string))
        return nil
    }

    /// Prints new lines until the agent refuses, or the connection to the broker is lost.
    func follow(tail: Int, lease: Int, _ options: MQTTConfiguration, _ logger: Logger) async throws -> String? {
        try await MQTTClient.with(options, logger: logger) { client in
            try await client.subscribe([topics.console(server)])
            return try await withThrowingTaskGroup(of: String?.self) { group in
                group.addTask {
                    for await message in client.messages() { Self.print(message) }
                    throw MQTTError.notConnected
                }
                group.addTask {
                    var lines = tail
                    while true {
                        if let refusal = try await ask(["tail": .optional(lines), "follow": .optional(lease)]) {
                            return refusal
                        }
                        lines = 0
                        try await Task.sleep(for: .seconds(lease / 2))
                    }
                }
                defer { group.cancelAll() }
                return try await group.next() ?? nil
            }
        }
    }

    /// Prints lines; on a terminal, without the control characters that the terminal would interpret.
    private static func print(lines: [String]) {
        let isTerminal = isatty(1) == 1
        for line in lines {
            StandardOutput.print(isTerminal ? Self.shown(line) : line)
        }
    }

    private static func shown(_ line: String) -> String {
        let scalars = LogPattern.plain(line).unicodeScalars.filter { $0.isPrintable || $0 == "\t" }
        return String(String.UnicodeScalarView(scalars))
    }

    private static func print(_ message: MQTTMessage) {
        guard let json = try? JSON.parse(message.payload), let report = ConsoleReport(json) else { return }
        if report.dropped > 0 { StandardOutput.print("[\(report.dropped) lines left out]") }
        print(lines: report.lines)
    }
}
