import ArgumentParser
import Bus
import FoundationEssentials
import Peon

struct Logs: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Prints what a server printed last, and with --follow what it prints from now on.")

    @OptionGroup var flags: SettingsFlags

    @Option(help: "How many lines.")
    var tail = 100

    @Flag(name: .shortAndLong, help: "Goes on until it is interrupted.")
    var follow = false

    @Argument(help: "The server.")
    var server: String

    /// Seconds for which the server is followed at a time; asked for again at half of that.
    private static let lease = 60

    func run() async throws {
        guard let server = ServerID(self.server) else { throw ValidationError("\(self.server) is no server's name") }
        let wiring = try Wiring(try flags.settings(), isQuiet: true)
        let topics = Topics(host: try wiring.settings.host())
        let caller = Caller(options: try wiring.clientOptions(), logger: wiring.logger)
        let topic = topics.command(.logs, server.sid)
        try await orUnreachable {
            guard follow else { return try await print(caller, topics, topic) }
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await listen(to: topics.console(server), try wiring.clientOptions(), wiring) }
                group.addTask { try await print(caller, topics, topic) }
                group.addTask {
                    while true {
                        _ = try await caller.send(
                            .init(
                                topics: topics, topic: topic, arguments: ["tail": 0, "follow": .optional(Self.lease)],
                                id: UUID().uuidString), seconds: 10)
                        try await Task.sleep(for: .seconds(Self.lease / 2))
                    }
                }
                try await group.waitForAll()
            }
        }
    }

    private func print(_ caller: Caller, _ topics: Topics, _ topic: String) async throws {
        let call = Caller.Call(
            topics: topics, topic: topic, arguments: ["tail": .optional(tail)], id: UUID().uuidString)
        let reply = try await caller.send(call, seconds: 15)
        guard reply.status == .ok else {
            StandardError.write("orc: \(reply.error ?? "refused")\n")
            throw ExitCode(1)
        }
        for line in reply.data["lines"]?.array ?? [] { StandardOutput.print(line.string ?? "") }
    }

    private func listen(to console: String, _ options: BusOptions, _ wiring: Wiring) async throws {
        try await BusClient.with(options, logger: wiring.logger) { client in
            try await client.subscribe([console])
            for await message in client.messages() {
                guard let report = try? JSON.parse(message.payload) else { continue }  // not a report of ours
                if let dropped = report["dropped"]?.int, dropped > 0 {
                    StandardOutput.print("[\(dropped) lines left out]")
                }
                for line in report["lines"]?.array ?? [] { StandardOutput.print(line.string ?? "") }
            }
        }
    }
}
