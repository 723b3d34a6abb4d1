import ArgumentParser
import FoundationEssentials
import OrcContract
import OrcCore

struct HistoryCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "history", abstract: "Lists commands with their senders and outcomes, the newest first.")

    @OptionGroup var flags: SettingsFlags

    @Option(help: "Only commands for this server.")
    var server: String?

    @Option(help: "Only this action.")
    var action: String?

    @Option(help: "Only this sender: a key's name, a client, a schedule.")
    var who: String?

    @Option(help: "Only this outcome: ok, or the reason of a failure, such as busy.")
    var outcome: String?

    @Option(help: "From this RFC 3339 time on, or from this long ago on: 12h.")
    var since: String?

    @Option(help: "Before this RFC 3339 time, or before this long ago.")
    var until: String?

    @Option(help: "Maximum number of commands.")
    var limit = 50

    @Flag(help: "Prints JSON, one object per line.")
    var json = false

    func run() async throws {
        guard limit > 0 else { throw ValidationError("--limit must be more than 0") }
        let asker = try AgentQuery(flags)
        var arguments: JSON.Object = [:]
        for (name, text) in [("server", server), ("action", action), ("who", who), ("outcome", outcome)] {
            if let text { arguments[name] = .string(text) }
        }
        for (name, text) in [("since", since), ("until", until)] {
            if let text { arguments[name] = .string(try Self.time(text)) }
        }
        var found: [JSON] = []
        while found.count < limit {
            arguments["limit"] = .optional(min(limit - found.count, 200))
            let answer = try await asker.ask(.history, arguments)
            found += answer["entries"]?.array ?? []
            guard answer["more"]?.bool == true, let last = found.last?["number"]?.int else { break }
            arguments["before"] = .optional(last)
        }
        guard !json else {
            for entry in found { StandardOutput.print(entry.text()) }
            return
        }
        let head = ["TIME", "WHO", "FROM", "SERVER", "ACTION", "ARGUMENTS", "OUTCOME", "MS"]
        StandardOutput.print(TextTable.text([head] + found.map(Self.row)))
    }

    private static func time(_ text: String) throws -> String {
        if let seconds = DurationText.seconds(text) {
            return Timestamp.text(Date().addingTimeInterval(-Double(seconds)))
        }
        guard let date = Timestamp.date(text) else { throw ValidationError("\(text) is no time") }
        return Timestamp.text(date)
    }

    private static func row(_ entry: JSON) -> [String] {
        let arguments = entry["arguments"].map { $0.string ?? $0.text() } ?? ""
        let who = [entry["origin"]?.string == "bus" ? nil : entry["origin"]?.string, entry["who"]?.string]
        return [
            entry["ts"]?.string ?? "?", who.compactMap(\.self).joined(separator: ":").orDash,
            (entry["from"]?.string ?? "").orDash, (entry["server"]?.string ?? "").orDash,
            entry["action"]?.string ?? "?", arguments == "{}" ? "-" : String(arguments.prefix(60)),
            entry["outcome"]?.string ?? "?", entry["took_ms"]?.int.map(String.init) ?? "-",
        ]
    }
}

extension String {
    fileprivate var orDash: String { isEmpty ? "-" : self }
}
