import ArgumentParser
import FoundationEssentials
import OrcContract
import OrcCore

struct CronCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cron", abstract: "Describes a cron line and prints its next times.")

    @OptionGroup var flags: SettingsFlags

    @Option(help: "The time zone; without it the agent's own.")
    var zone: String?

    @Option(help: "The RFC 3339 time after which times are printed; without it now.")
    var from: String?

    @Option(help: "Number of times to print.")
    var count = 5

    @Option(help: "Prints all times before this RFC 3339 time instead of a count.")
    var until: String?

    @Argument(help: "The five fields in quotes, or a short form such as @daily.")
    var line: String

    func run() async throws {
        let rules = try rules()
        let cron: Cron
        do { cron = try Cron(line) } catch { throw ValidationError("\(line): \(error)") }
        var instant = try from.map(Self.seconds) ?? Int(Date().timeIntervalSince1970)
        let end = try until.map(Self.seconds)
        StandardOutput.print("\(cron.words), \(rules.name)")
        var left = end == nil ? count : Int.max
        while left > 0, let next = cron.next(after: instant, in: rules), next < end ?? Int.max {
            let date = Date(timeIntervalSince1970: Double(next))
            StandardOutput.print(Timestamp.text(date, offset: rules.offset(at: next)))
            instant = next
            left -= 1
        }
    }

    private func rules() throws -> TimeZoneRules {
        do { return try TimeZoneDatabase().rules(try zone ?? flags.settings().zone()) } catch let error as TimeZoneError
        {
            throw ValidationError("\(error)")
        }
    }

    private static func seconds(_ text: String) throws -> Int {
        guard let date = Timestamp.date(text) else { throw ValidationError("\(text) is no RFC 3339 time") }
        return Int(date.timeIntervalSince1970.rounded(.down))
    }
}
