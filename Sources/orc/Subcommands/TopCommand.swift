import ArgumentParser
import Glibc
import OrcContract
import OrcCore
import OrcMQTT

struct TopCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "top",
        abstract: "Shows the resource usage of running servers and of the host: live in a terminal, once in a pipe.")

    @OptionGroup var flags: SettingsFlags

    @Flag(help: "Prints the table once, also in a terminal.")
    var once = false

    @Argument(help: "Only these servers.")
    var servers: [String] = []

    /// Seconds for which one request makes the agent measure servers; repeated after half of that time.
    private static let lease = 20

    func run() async throws {
        let wanted = try servers.map { name in
            guard let server = ServerID(name) else { throw ValidationError("\(name) is no server's name") }
            return server
        }
        let wiring = try ServiceWiring(try flags.settings(), isQuiet: true)
        let topics = Topics(host: try wiring.settings.host())
        let isLive = isatty(1) == 1 && !once
        try await orUnreachable {
            try await MQTTClient.with(try wiring.clientOptions(), logger: wiring.logger) { client in
                try await client.subscribe([topics.allStatus])
                let board = TopTable(topics: topics, wanted: wanted)
                try await withThrowingTaskGroup(of: Void.self) { group in
                    group.addTask {
                        for await message in client.messages() { board.take(message) }
                        throw MQTTError.notConnected
                    }
                    group.addTask { try await Self.show(board, client, topics, isLive: isLive) }
                    _ = try await group.next()
                    group.cancelAll()
                }
            }
        }
    }

    /// Prints the table once a second if `isLive`; otherwise once, when all running servers have been measured twice,
    /// or after five seconds.
    private static func show(_ board: TopTable, _ client: MQTTClient, _ topics: Topics, isLive: Bool) async throws {
        try await Task.sleep(for: .milliseconds(200))  // retained reports have arrived by then
        for second in 0... {
            if second.isMultiple(of: lease / 2) {
                let arguments: JSON = ["args": ["watch": .optional(lease)]]
                for server in board.running {
                    _ = client.publish(OutgoingMessage(topics.command(.stats, server.sid), arguments.bytes))
                }
            }
            if isLive {
                StandardOutput.print("\u{1B}[H\u{1B}[2J" + board.text)
            } else if second >= 2 && board.isMeasured || second == 5 {
                return StandardOutput.print(board.text)
            }
            try await Task.sleep(for: .seconds(1))
        }
    }
}
