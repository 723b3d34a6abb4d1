import ArgumentParser
import FoundationEssentials
import OrcContract
import OrcCore

struct SendCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "send", abstract: "Sends a command and prints its replies.",
        discussion: ActionHelp.text
            + "\n\nExit codes: 0 done, 1 refused or failed, 3 no reply from an agent or a broker, 4 still under way when the wait ended, 64 invalid arguments."
    )

    @OptionGroup var flags: SettingsFlags

    @Option(help: "The host to send the command to; without it this one.")
    var host: String?

    @Option(help: "The command's id: a command with a repeated id is not carried out again.")
    var id: String?

    @Option(help: "Seconds to wait for the final reply.")
    var wait = 600

    @Argument(help: "The action.")
    var action: String

    @Argument(help: "The server, if the action is a server's, then key=value for each argument.")
    var words: [String] = []

    func run() async throws {
        let wiring = try ServiceWiring(try flags.settings(), isQuiet: true)
        let call = try self.call(topics: Topics(host: try host.map(parsedHost) ?? wiring.settings.host()))
        let outcome = try await orUnreachable {
            try await CommandSender(options: try wiring.clientOptions(), logger: wiring.logger).send(
                call, seconds: wait
            ) {
                StandardOutput.print($0.json.text())
            }
        }
        if outcome.status != .ok { throw ExitCode(1) }
    }

    private func parsedHost(_ text: String) throws -> HostName {
        guard let host = HostName(text) else { throw ValidationError("\(text) is no host's name: [a-z0-9-]{1,32}") }
        return host
    }

    private func call(topics: Topics) throws -> CommandSender.Call {
        var rest = words[...]
        let topic: String
        let namesServer = rest.first.map { !$0.contains("=") } ?? false
        if let agentAction = AgentAction(rawValue: action), ServerAction(rawValue: action) == nil || !namesServer {
            topic = topics.command(agentAction)
        } else if let serverAction = ServerAction(rawValue: action) {
            guard let server = rest.popFirst(), !server.contains("=") else {
                throw ValidationError("\(action) needs a server")
            }
            guard !server.contains(where: { "/+#".contains($0) }) else {
                throw ValidationError("\(server) is no server's name")
            }
            // Uses the sid: some brokers treat a dot in a topic as a slash.
            topic = topics.command(serverAction, ServerID(server)?.sid ?? server)
        } else {
            throw ValidationError("there is no action \(action)")
        }
        var arguments = JSON.Object()
        for word in rest {
            guard let equals = word.firstIndex(of: "="), equals > word.startIndex else {
                throw ValidationError("\(word) is not key=value")
            }
            arguments[String(word[..<equals])] = Self.value(String(word[word.index(after: equals)...]))
        }
        return CommandSender.Call(
            topics: topics, topic: topic, arguments: arguments, id: id ?? UUID().uuidString.lowercased())
    }

    /// Returns JSON if the text parses as a number, true, false, an object or a list; otherwise a string.
    static func value(_ text: String) -> JSON {
        guard let json = try? JSON.parse(text) else { return .string(text) }  // no JSON, so it is text
        switch json {
        case .null, .string: return .string(text)
        case .bool, .number, .array, .object: return json
        }
    }
}

/// The list of actions in `orc send --help`, generated from the catalogue.
enum ActionHelp {
    static var text: String {
        Action.allCases.map { action in
            let kind = if case .server = action { "SERVER " } else { "" }
            let arguments = action.spec.arguments.map { $0.isRequired ? "\($0.name)=…" : "[\($0.name)=…]" }
            return "\(action.name) \(kind)\(arguments.joined(separator: " "))\n      \(action.spec.summary)"
        }.joined(separator: "\n")
    }
}
