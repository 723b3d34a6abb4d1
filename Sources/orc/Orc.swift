import ArgumentParser
import FoundationEssentials
import Glibc
import Logging

@main
struct Orc: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "orc", abstract: "Runs game servers in containers, over MQTT.", version: Version.current,
        subcommands: [
            Run.self, BridgeCommand.self, Send.self, Watch.self, Top.self, Logs.self, Servers.self, Schedules.self,
            History.self, CronCommand.self, Keys.self, TopicsCommand.self,
            Check.self,
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
        try await wiring.orCritical { try await wiring.run() }
    }
}

struct BridgeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bridge",
        abstract: "Runs the REST bridge alone, on a machine that needs no container engine, until it is told to end.")

    @OptionGroup var flags: SettingsFlags

    func run() async throws {
        let wiring = try Wiring(try flags.settings(), isQuiet: false)
        try await wiring.orCritical { try await wiring.runBridge() }
    }
}

extension Wiring {
    /// Runs `body`; where it cannot be, says why and ends the program with 1.
    fileprivate func orCritical(_ body: () async throws -> Void) async throws {
        do { try await body() } catch {
            logger.critical("cannot run", metadata: ["error": "\(error)"])
            throw ExitCode(1)
        }
    }
}
