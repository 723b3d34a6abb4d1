import ArgumentParser
import OrcContract
import OrcCore

struct SchedulesCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "schedules",
        abstract: "Lists schedules; orc send schedule creates one, orc send unschedule removes it.")

    @OptionGroup var flags: SettingsFlags

    @Flag(help: "Prints JSON, one object per line.")
    var json = false

    @Argument(help: "Only schedules of this server.")
    var server: String?

    func run() async throws {
        let asker = try AgentQuery(flags)
        var after: String?
        var found: [JSON] = []
        repeat {
            var arguments: JSON.Object = ["limit": 200]
            if let server { arguments["server"] = .string(server) }
            if let after { arguments["after"] = .string(after) }
            let answer = try await asker.ask(.schedules, arguments)
            found += answer["schedules"]?.array ?? []
            after = answer["more"]?.bool == true ? found.last?["schedule"]?.string : nil
        } while after != nil
        guard !json else {
            for schedule in found { StandardOutput.print(schedule.text()) }
            return
        }
        StandardOutput.print(
            TextTable.text(
                [["SCHEDULE", "OF", "ACTIONS", "WHEN", "NEXT", "LAST"]]
                    + found.compactMap(ScheduleEntry.init).map(Self.row)))
    }

    private static func row(_ schedule: ScheduleEntry) -> [String] {
        [
            schedule.id, schedule.server ?? schedule.game ?? "agent", schedule.actions.joined(separator: ","),
            schedule.words, schedule.nextLocal ?? schedule.problem ?? (schedule.isEnabled ? "-" : "disabled"),
            schedule.last?.outcome.rawValue ?? "-",
        ]
    }
}
