import ArgumentParser
import FoundationEssentials
import Logging

@main
struct Orc: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "orc", abstract: "Runs game servers in containers, over MQTT.", version: Version.current,
        subcommands: [
            RunCommand.self, BridgeCommand.self, SendCommand.self, WatchCommand.self, TopCommand.self, LogsCommand.self,
            ServersCommand.self, SchedulesCommand.self,
            HistoryCommand.self, CronCommand.self, KeysCommand.self, TopicsCommand.self,
            CheckCommand.self,
        ])
}

/// The command-line flags that all subcommands share.
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

struct RunCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run", abstract: "Runs the agent until it is told to end.")

    @OptionGroup var flags: SettingsFlags

    func run() async throws {
        let wiring = try ServiceWiring(try flags.settings(), isQuiet: false)
        try await wiring.orCritical { try await wiring.run() }
    }
}

struct BridgeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bridge",
        abstract: "Runs the REST bridge alone, on a machine that needs no container engine, until it is told to end.")

    @OptionGroup var flags: SettingsFlags

    func run() async throws {
        let wiring = try ServiceWiring(try flags.settings(), isQuiet: false)
        try await wiring.orCritical { try await wiring.runBridge() }
    }
}

extension ServiceWiring {
    /// Runs `body`; if it throws, logs the error and exits with status 1.
    fileprivate func orCritical(_ body: () async throws -> Void) async throws {
        do { try await body() } catch {
            logger.critical("cannot run", metadata: ["error": "\(error)"])
            throw ExitCode(1)
        }
    }
}
