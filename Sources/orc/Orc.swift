import ArgumentParser
import FoundationEssentials
import Glibc
import Logging

@main
struct Orc: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "orc", abstract: "Runs game servers in containers, over MQTT.", version: Version.current,
        subcommands: [
            Run.self, Send.self, Watch.self, Logs.self, Servers.self, TopicsCommand.self, Check.self,
        ])
}

/// The flags that every command takes.
struct SettingsFlags: ParsableArguments {
    @Option(help: "The settings file; without it \(Settings.standardFile), where there is one.")
    var config: String?

    @Option(name: .customLong("set"), help: "A setting that goes before the file and the environment: KEY=VALUE.")
    var overrides: [String] = []

    func settings() throws -> Settings {
        do {
            return try Settings(file: config, environment: ProcessInfo.processInfo.environment, flags: overrides)
        } catch {
            throw ValidationError("\(error)")
        }
    }
}

struct Run: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Runs the agent until it is told to end.")

    @OptionGroup var flags: SettingsFlags

    func run() async throws {
        let wiring = try Wiring(try flags.settings(), isQuiet: false)
        do {
            try await wiring.run()
        } catch {
            wiring.logger.critical("cannot run", metadata: ["error": "\(error)"])
            throw ExitCode(1)
        }
    }
}
